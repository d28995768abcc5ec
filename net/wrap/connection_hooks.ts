// Copyright 2026 the Sluice authors. MIT license.

import type { StreamAddress } from "../internal.ts";
import type { ByteQuota } from "./byte_quota.ts";

/** Operations that {@linkcode ConnectionHooks.check} can refuse. */
export type ConnectionOperation = "read" | "write" | "setOption" | "getOption";

/**
 * Hooks of a connection. Each is optional, is read once, and is called without `this`.
 *
 * Between two sockets of the library bytes arrive in callbacks of the system: `received`, `sent`
 * and the quotas may be called in any scope.
 */
export interface ConnectionHooks {
  /**
   * Called before each operation, and before each chunk that {@linkcode LendingSource} lends.
   * Throws to refuse the operation, which then has no effect. `shutdown`, `close` and `abort`
   * cannot be refused.
   */
  check?: ((operation: ConnectionOperation) => void) | undefined;
  /**
   * Called with the number of bytes that a read, or a borrower, has taken: at least 1. Must not
   * throw.
   */
  received?: ((size: number) => void) | undefined;
  /**
   * Called with the number of bytes written: at least 1. Must not throw.
   */
  sent?: ((size: number) => void) | undefined;
  /**
   * Called when a write that has to wait, or a shutdown of the sending direction, has begun. The
   * function that it returns is called when that has settled, after `sent`. Neither must throw.
   */
  pending?: ((operation: "write" | "shutdown") => () => void) | undefined;
  /**
   * Called whenever a read finds that the peer has ended, unless this side has shut down receiving.
   * Must not throw.
   */
  ended?: (() => void) | undefined;
  /**
   * A quota of the bytes that reads and borrowers take. A read delivers no more than it has, and
   * takes from it only once bytes have arrived.
   */
  incoming?: ByteQuota | undefined;
  /**
   * A quota of the bytes that are written. A write takes at most 64 KiB from it before it begins,
   * and writes no more.
   */
  outgoing?: ByteQuota | undefined;
  /**
   * Called with the error of a read or a write that had begun. Returns the error to throw instead,
   * or the same. It does not see what `check`, a quota or a borrower throws. Must not throw.
   */
  failed?: ((error: unknown, operation: "read" | "write") => unknown) | undefined;
  /**
   * Called exactly once, when the connection was closed or aborted through the wrapper. In a
   * wrapper made by {@linkcode wrapNet}, also called when the connection's switch has ended. Its
   * result is awaited by `close` and by the switch.
   */
  closed?: (() => unknown) | undefined;
  /**
   * Called exactly once, when the connection holds no socket any more: before `closed`, and, in a
   * wrapper made by {@linkcode wrapNet}, as soon as the peer has broken the connection, both
   * directions have ended, or a wrapper inside has closed it. May be called in any scope. Must not
   * throw.
   */
  gone?: (() => void) | undefined;
  /** Replaces `local`. */
  local?: StreamAddress | undefined;
  /** Replaces `peer`. */
  peer?: StreamAddress | undefined;
}
