// Copyright 2026 the Sluice authors. MIT license.

/**
 * The interfaces for backends, wrappers and flows of other libraries: the fast paths
 * {@linkcode lend} and {@linkcode give}, and the non-blocking {@linkcode StreamEnd}.
 *
 * ```ts
 * import { stringSource } from "@sluice/io/flow";
 * import { lend } from "@sluice/io/flow/provider";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await stringSource("hello")[lend]((bytes) => bytes.length), 5);
 * ```
 *
 * @module
 */

export { type Borrower, give, type GivingSink, lend, type LendingSource } from "./types.ts";

/**
 * Notifications from a {@linkcode StreamEnd} to its one user. Each may come at any time, from any
 * callback, and more often than needed.
 */
export interface StreamEvents {
  /** {@linkcode StreamEnd.peek} has a new result: bytes, the end, or an error. */
  readable(): void;
  /**
   * {@linkcode StreamEnd.write} may take bytes again, or {@linkcode StreamEnd.flushed} became true,
   * or an error occurred.
   */
  writable(): void;
}

/**
 * One end of a byte stream that never waits, like a non-blocking socket: it does what can be done
 * now, and notifies its user when to try again. Backends and pipes implement it; the library adds
 * waiting, cancellation, ownership and checks once, on top.
 */
export interface StreamEnd {
  /**
   * Whether the memory of what `peek` returned stays unchanged after `consume`, so that a borrower
   * may keep it. If `false`, the end may reuse it.
   *
   * @default {true}
   */
  readonly keeps?: boolean | undefined;
  /**
   * Returns the first unconsumed bytes that lie in one piece: at least one byte, null at the end,
   * or `undefined` if none has arrived ({@linkcode StreamEvents.readable} follows). Their memory is
   * not written to before they are consumed; if it was detached or shrunk all the same, they are
   * empty, and stay so. May be a subclass such as Node's `Buffer`: a plain view of it costs a tenth
   * of a round trip, so {@linkcode Stream} makes one only where it lends.
   *
   * @throws What broke the receiving direction, once everything that arrived before is consumed.
   */
  peek(): Uint8Array<ArrayBuffer> | null | undefined;
  /**
   * Consumes the first `size` bytes of what `peek` returned, even if their memory was detached
   * since. `true` reports that more has arrived, which `peek` returns at no further cost: a read
   * includes it.
   */
  consume(size: number): boolean | void;
  /**
   * Takes bytes: passes them on at once, or copies them. Returns how many, or 0 while older ones
   * are queued ({@linkcode StreamEvents.writable} follows).
   *
   * @throws What broke the sending direction.
   */
  write(bytes: Uint8Array): number;
  /**
   * Like {@linkcode StreamEnd.write}, for several buffers whose memory belongs to the stream once
   * taken.
   *
   * @param owned Whether no other code can reach the memory. If it can, an end that passes the
   * memory to the system copies it first: other code could detach it, and the system would send
   * from freed memory.
   */
  give(buffers: readonly Uint8Array[], owned?: boolean): number;
  /** Ends the sending direction after everything that was taken. */
  end(): void;
  /** Discards received and future input, so that the peer is not blocked. */
  drop(): void;
  /** Whether everything taken, and the end, have been passed on or lost. */
  readonly flushed: boolean;
  /**
   * How many bytes were taken and are still queued, before the system or the peer. If it changes, a
   * slow peer is making progress, which a time limit takes into account.
   *
   * @default {0}
   */
  readonly unsent?: number | undefined;
  /**
   * What broke the sending direction after {@linkcode StreamEnd.end}, while bytes that were taken
   * were still queued.
   */
  readonly lost?: { readonly error: unknown } | undefined;
}
