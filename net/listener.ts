// Copyright 2026 the Sluice authors. MIT license.

import type { Switch } from "../switch/internal.ts";
import type { StreamAddress } from "./address.ts";
import type { Socket, StreamSocket } from "./connection.ts";
import type { SocketOptions } from "./socket_option.ts";

/** Options for {@linkcode Net.listen}. */
export interface ListenOptions {
  /**
   * The backlog: how many connections can wait to be accepted, an integer of at least 1. The
   * system's limit may be lower (`net.core.somaxconn` on Linux).
   *
   * @default {4096}
   */
  backlog?: number | undefined;
  /**
   * Whether to remove the file of a dead Unix socket first, one without a listener. If the path is
   * a live socket or another file, listening fails.
   *
   * @default {false}
   */
  reuseAddr?: boolean | undefined;
  /**
   * Whether to share the TCP port with other listeners; `not_supported` without the feature
   * `reusePort`.
   *
   * @default {false}
   */
  reusePort?: boolean | undefined;
  /** Socket options, set in order; accepted connections inherit them. */
  socketOptions?: SocketOptions | undefined;
  /** The permission bits of a Unix path, such as `0o600`. */
  mode?: number | undefined;
  /**
   * The `linger` of the accepted connections, as in {@linkcode ConnectOptions}.
   *
   * @default {1000}
   */
  linger?: number | undefined;
}

/**
 * A socket that accepts connections. It closes when its switch ends, unless closed first, and then
 * removes its Unix path.
 *
 * @typeParam A The kind of address.
 */
export interface ListeningSocket<A extends StreamAddress = StreamAddress> extends Socket {
  /** The address on which it listens, with the actual port in place of 0. */
  readonly address: A;
  /**
   * How many connections were reset because the backlog was full, if the library keeps the backlog
   * (without the feature `pullAccept`).
   */
  readonly dropped?: number | undefined;
  /**
   * Waits for a connection. Concurrent calls are served in FIFO order.
   *
   * @param sw The switch that owns the connection.
   * @returns The connection.
   * @throws {NetError} If the system cannot accept.
   * @throws {ClosedError} If the listener is closed, before or during the call.
   * @throws {TypeError} If `sw` is finished; no connection is taken then.
   * @throws {Cancelled} If the current scope, or `sw`, is cancelled; no connection is lost then.
   */
  accept(sw: Switch): Promise<StreamSocket>;
}
