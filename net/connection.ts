// Copyright 2026 the Sluice authors. MIT license.

import type { Closable, TwoWay } from "../flow/internal.ts";
import type { StreamAddress } from "./address.ts";
import type { SocketOptionName, SocketOptions, SocketOptionTypes } from "./socket_option.ts";

/** Options for {@linkcode Net.connect}. */
export interface ConnectOptions {
  /** The local address to connect from. Port 0 selects an ephemeral port. */
  bindTo?: StreamAddress | undefined;
  /**
   * Socket options, set in order before the socket is returned. An option that cannot be set fails
   * the call, before connecting if possible. With a host name, options of one IP version are set
   * only on a connection of that version.
   */
  socketOptions?: SocketOptions | undefined;
  /**
   * The timeout of the whole call, in milliseconds, after which it fails with `connection_timeout`.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
  /**
   * How long `close` flushes written bytes and waits for the peer's end, in milliseconds.
   *
   * @default {1000}
   */
  linger?: number | undefined;
}

/** The common part of all sockets. */
export interface Socket extends Closable {
  /**
   * Sets a socket option. Connections that a listener accepts from now on inherit its options.
   *
   * @typeParam N The name of the option.
   * @param name The system's name of the option.
   * @param value Its value, in the system's units.
   * @throws {NetError} `invalid_option` if the option does not exist, does not apply to this
   * socket, or the system refuses its value; `not_supported` if this runtime cannot set it.
   * @throws {TypeError} If the value is of the wrong kind.
   * @throws {RangeError} If the value is out of range.
   * @throws {ClosedError} If the socket is closed.
   */
  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void;
  /**
   * Returns the value of a socket option: the system's, or else the one set through this object.
   *
   * @typeParam N The name of the option.
   * @param name The system's name of the option.
   * @returns Its value.
   * @throws {NetError} `not_supported` if neither is known, rather than a guessed default;
   * `invalid_option` if the option does not exist, does not apply to this socket, or cannot be
   * read.
   * @throws {ClosedError} If the socket is closed.
   */
  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N];
}

/**
 * A connection. It closes when its switch ends, unless closed first.
 *
 * `close` loses no written bytes: it flushes them, half-closes the connection, and discards input
 * until the peer has ended too, for at most `linger` milliseconds in total. Then it closes the
 * socket, with a reset if bytes are left. Where {@linkcode Net.features} has no `reset`, such bytes
 * are still sent for some seconds, so that the peer sees no end before them. `close` does not wait
 * if the peer has ended already, or nothing was ever written. If the owning switch has failed or
 * was cancelled, the socket is aborted at once.
 */
export interface Connection extends TwoWay, Closable {
  /** The local address. An unnamed Unix socket has the path "". */
  readonly local: StreamAddress;
  /** The peer's address. An IPv4-mapped one is unwrapped to IPv4. */
  readonly peer: StreamAddress;
  /**
   * Closes the connection at once. Unsent bytes are lost, and the peer of a TCP connection sees an
   * error where {@linkcode Net.features} has `reset`, and otherwise an end. Pending and later
   * operations reject with {@linkcode ClosedError}.
   *
   * @param reason The cause of these errors.
   */
  abort(reason?: unknown): void;
}

/** A {@linkcode Connection} that is a socket, with socket options. */
export interface StreamSocket extends Connection, Socket {}
