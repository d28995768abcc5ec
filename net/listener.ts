// Copyright 2026 the Sluice authors. MIT license.

import type { Switch } from "../switch/internal.ts";
import type { StreamAddress } from "./address.ts";
import type { Socket, StreamSocket } from "./connection.ts";
import type { SocketOptions } from "./socket_option.ts";

/** Options for {@linkcode Net.listen}. */
export interface ListenOptions {
  /**
   * How many connections may wait to be accepted: a whole number of at least 1. The system may have a lower limit
   * (`net.core.somaxconn` on Linux).
   *
   * @default {4096}
   */
  backlog?: number | undefined;
  /**
   * For a Unix path: first removes a socket file on which nobody answers. Other files, and a live socket, are left alone, and listening fails.
   *
   * @default {false}
   */
  reuseAddr?: boolean | undefined;
  /**
   * Lets several listeners share one TCP port. Where there is no feature `reusePort`, it is `not_supported`.
   *
   * @default {false}
   */
  reusePort?: boolean | undefined;
  /** Socket options, in order: connections that are accepted inherit them. */
  socketOptions?: SocketOptions | undefined;
  /** The permissions of a Unix path, such as `0o600`. */
  mode?: number | undefined;
  /**
   * The `linger` of the accepted connections, as in {@linkcode ConnectOptions}.
   *
   * @default {1000}
   */
  linger?: number | undefined;
}

/**
 * A socket that accepts connections. It closes when its switch ends, unless closed first; a Unix path is removed then.
 *
 * @typeParam A The kind of address.
 */
export interface ListeningSocket<A extends StreamAddress = StreamAddress> extends Socket {
  /** Where it listens, with the real port where 0 was asked for. */
  readonly address: A;
  /**
   * How many connections were reset because the backlog was full, where the library has to keep them itself (no `pullAccept`).
   */
  readonly dropped?: number | undefined;
  /**
   * Waits for a connection. Concurrent calls are served in order.
   *
   * @param sw The switch that owns the connection.
   * @returns The connection.
   * @throws {NetError} When the system cannot accept.
   * @throws {ClosedError} When the listener is closed, now or meanwhile.
   * @throws {TypeError} When `sw` is finished; no connection is taken then.
   * @throws {Cancelled} When the current scope, or `sw`, is cancelled; no connection is lost then.
   */
  accept(sw: Switch): Promise<StreamSocket>;
}
