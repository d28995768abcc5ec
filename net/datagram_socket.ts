// Copyright 2026 the Sluice authors. MIT license.

import type { DatagramAddress } from "./address.ts";
import type { Socket } from "./connection.ts";
import type { SocketOptions } from "./socket_option.ts";

/** Options for {@linkcode Net.datagramSocket}. */
export interface DatagramOptions {
  /**
   * Whether to bind even if the address is in use by sockets that set the same option.
   *
   * @default {false}
   */
  reuseAddr?: boolean | undefined;
  /**
   * Whether to share the port with other sockets; `not_supported` without the feature
   * `datagramReusePort`.
   *
   * @default {false}
   */
  reusePort?: boolean | undefined;
  /**
   * Socket options, set in order before the socket is returned. An option that cannot be set fails
   * the call, before binding if possible.
   */
  socketOptions?: SocketOptions | undefined;
  /**
   * The address to connect the socket to: it sends only to this address, and receives only from it.
   * It has the socket's IP version, or is IPv4 for an IPv6 socket.
   */
  remote?: DatagramAddress | undefined;
}

/** A whole datagram. */
export interface Datagram {
  /** The payload, which may be empty. The receiver owns the memory. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** The sender's address. */
  readonly from: DatagramAddress;
}

/** The result of {@linkcode DatagramSocket.recv}. */
export interface ReceivedDatagram {
  /** How many bytes were copied. 0 is an empty datagram, not the end. */
  readonly size: number;
  /** The sender's address. An IPv4-mapped one is unwrapped to IPv4. */
  readonly from: DatagramAddress;
  /** Whether the datagram was longer than the buffer, and its rest was lost. */
  readonly truncated: boolean;
}

/**
 * A datagram socket. Datagrams may be lost, duplicated or reordered. It closes when its switch
 * ends, unless closed first.
 *
 * The runtimes read on their own, so datagrams are queued until they are received: at most 1024 and
 * 1 MiB. Further ones are dropped, as by the system when its own buffer is full.
 *
 * Source: RFC 768, udp(7), Eio's `Net.send` and `Net.recv`.
 *
 * @typeParam A The kind of address.
 */
export interface DatagramSocket<A extends DatagramAddress = DatagramAddress> extends Socket {
  /** The local address, with the actual port. */
  readonly local: A;
  /** The address that the socket is connected to, if any. */
  readonly remote?: DatagramAddress | undefined;
  /**
   * How many datagrams were dropped because the queue was full. The system's drops do not count.
   */
  readonly dropped?: number | undefined;
  /**
   * Sends one datagram, whole or not at all. Concurrent sends are sent in order.
   *
   * While too many sends are in flight it waits, and can be cancelled: then nothing was sent.
   * Passing the datagram to the system cannot be cancelled; that takes one turn, or, if the
   * system's buffer is full, until it has space. `data` can be reused afterwards.
   *
   * @param data The payload; several buffers form one datagram. It may be empty.
   * @param to The receiver; by default, the address that the socket is connected to.
   * @throws {NetError} `message_too_large` for more than 65507 bytes to an IPv4 address or 65527 to
   * an IPv6 one, before any system call; the system's errors, such as `permission_denied` for a
   * broadcast without `SO_BROADCAST`. On a connected socket also `connection_refused`, the answer
   * to an earlier datagram (with the feature `datagramErrors`); nothing was sent then.
   * @throws {TypeError} If there is no address, `to` is not the address that the socket is
   * connected to, or it is of a kind that the socket cannot send to.
   * @throws {RangeError} If the port is 0.
   * @throws {ClosedError} If the socket is closed, before or during the call; the datagram may have
   * been sent.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  send(data: Uint8Array | readonly Uint8Array[], to?: DatagramAddress): Promise<void>;
  /**
   * Waits for one datagram.
   *
   * @param buffer Receives the payload. Bytes that do not fit are lost.
   * @returns How many bytes were copied, the sender, and whether the datagram was longer than
   * `buffer`.
   * @throws {NetError} On a connected socket, `connection_refused`, the answer to an earlier
   * datagram (with the feature `datagramErrors`). The socket remains usable.
   * @throws {BusyError} If another call is waiting.
   * @throws {ClosedError} If the socket is closed, before or during the call.
   * @throws {Cancelled} If the current scope is cancelled; no datagram is lost then.
   */
  recv(buffer: Uint8Array): Promise<ReceivedDatagram>;
  /**
   * Waits for at least one datagram, and returns all that have arrived, whole and without copying.
   *
   * @returns The datagrams, in order.
   * @throws {NetError} As {@linkcode DatagramSocket.recv}, if no datagram arrived before.
   * @throws {BusyError} If another call is waiting.
   * @throws {ClosedError} If the socket is closed, before or during the call.
   * @throws {Cancelled} If the current scope is cancelled; no datagram is lost then.
   */
  recvMany(): Promise<Datagram[]>;
}
