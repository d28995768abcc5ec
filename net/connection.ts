// Copyright 2026 the Sluice authors. MIT license.

import type { Closable, TwoWay } from "../flow/internal.ts";
import type { StreamAddress } from "./address.ts";
import type { SocketOptionName, SocketOptions, SocketOptionTypes } from "./socket_option.ts";

/** Options for {@linkcode Net.connect}. */
export interface ConnectOptions {
  /** The local address to connect from. Port 0 leaves the port to the system. */
  bindTo?: StreamAddress | undefined;
  /**
   * Socket options, set in order before the socket is handed out. One that cannot be set fails the call, before connecting if that is known. With a host
   * name, options for one IP version are set where the connection is of that version.
   */
  socketOptions?: SocketOptions | undefined;
  /**
   * How long the whole call may take, in milliseconds; then it fails with `connection_timeout`.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
  /**
   * How long `close` lets bytes that were taken go out and waits for the other side to end, in milliseconds.
   *
   * @default {1000}
   */
  linger?: number | undefined;
}

/** What all sockets have. */
export interface Socket extends Closable {
  /**
   * Sets a socket option. Of a listener, connections that are accepted from now on inherit it.
   *
   * @typeParam N The option.
   * @param name The system's name for it.
   * @param value Its value, in the system's units.
   * @throws {NetError} `invalid_option` for an option that there is not, that does not fit this socket, or whose value the system refuses; `not_supported`
   * for one that this runtime does not reach.
   * @throws {TypeError} When the value is of the wrong kind.
   * @throws {RangeError} When it is out of range.
   * @throws {ClosedError} When the socket is closed.
   */
  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void;
  /**
   * Asks for a socket option: what the system says, or else what was set through this object.
   *
   * @typeParam N The option.
   * @param name The system's name for it.
   * @returns Its value.
   * @throws {NetError} `not_supported` when neither is known: no default is made up; `invalid_option` for an option that there is not, that does not fit
   * this socket, or that cannot be asked for.
   * @throws {ClosedError} When the socket is closed.
   */
  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N];
}

/**
 * A connection. It closes when its switch ends, unless closed first.
 *
 * `close` loses nothing that a write took: it lets that go out, ends our direction, and then reads and drops input until
 * the other side has ended too, for at most `linger` milliseconds in all. Then the socket is given back to the system,
 * with a reset if something was left. If the other side has ended already, or nothing was ever written, there is nothing
 * to wait for. If the owning switch has failed or was cancelled, the socket is reset at once.
 */
export interface Connection extends TwoWay, Closable {
  /** Our own address. An unnamed Unix socket has the path "". */
  readonly local: StreamAddress;
  /** The other side's address. An IPv4 peer of a dual-stack listener shows as plain IPv4. */
  readonly peer: StreamAddress;
  /**
   * Closes the connection now, by a reset where the transport has one. What has not gone out is lost, and the other side
   * sees an error. Operations that wait are rejected with {@linkcode ClosedError}, and so are later ones.
   *
   * @param reason Why: the cause of these errors.
   */
  abort(reason?: unknown): void;
}

/** A {@linkcode Connection} that is a socket, and so has socket options. */
export interface StreamSocket extends Connection, Socket {}
