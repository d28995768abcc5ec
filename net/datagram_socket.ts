// Copyright 2026 the Sluice authors. MIT license.

import type { DatagramAddress } from "./address.ts";
import type { Socket } from "./connection.ts";
import type { SocketOptions } from "./socket_option.ts";

/** Options for {@linkcode Net.datagramSocket}. */
export interface DatagramOptions {
  /**
   * Binds although the address is in use by others who agree.
   *
   * @default {false}
   */
  reuseAddr?: boolean | undefined;
  /**
   * Lets several sockets share one port.
   *
   * @default {false}
   */
  reusePort?: boolean | undefined;
  /** Socket options, set in order before the socket is handed out. One that cannot be set fails the call, before binding if that is known. */
  socketOptions?: SocketOptions | undefined;
  /** Makes a connected socket, which sends to this address and receives from nobody else. Of the socket's IP version, or IPv4 on an IPv6 socket. */
  remote?: DatagramAddress | undefined;
}

/** A whole datagram. */
export interface Datagram {
  /** What was sent. It may be empty, and the memory is the receiver's. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Who sent it. */
  readonly from: DatagramAddress;
}

/** What {@linkcode DatagramSocket.recv} says of a datagram. */
export interface ReceivedDatagram {
  /** How many bytes were copied. 0 is a datagram, not the end. */
  readonly size: number;
  /** Who sent it. An IPv4 sender to an IPv6 socket shows as plain IPv4. */
  readonly from: DatagramAddress;
  /** Whether it was longer than the buffer, and the rest is lost. */
  readonly truncated: boolean;
}

/**
 * A socket for single messages, of which any may be lost, doubled or overtaken. It closes when its switch ends, unless closed first.
 *
 * What arrives is queued until it is received: up to 1024 datagrams and 1 MiB, since the runtimes read without being asked. More is dropped, as the system does
 * when its own buffer is full.
 *
 * Source: RFC 768, udp(7), Eio's `Net.send` and `Net.recv`.
 *
 * @typeParam A The kind of address.
 */
export interface DatagramSocket<A extends DatagramAddress = DatagramAddress> extends Socket {
  /** Our own address, with the real port. */
  readonly local: A;
  /** Where it is connected to, if it is. */
  readonly remote?: DatagramAddress | undefined;
  /** How many datagrams were dropped here because the queue was full. What the system drops is not counted. */
  readonly dropped?: number | undefined;
  /**
   * Sends one datagram, whole or not at all. Several sends may be under way; they go out in order.
   *
   * It waits while too many are on their way to the system, and can be cancelled then: nothing was sent. One that the system is being given is past
   * cancelling, which takes a turn, or, when the system's buffer is full, until there is room. `data` may be reused afterwards.
   *
   * @param data What to send; several pieces make one datagram. It may be empty.
   * @param to Where to; without it, to where the socket is connected.
   * @throws {NetError} `message_too_large` for more than 65507 bytes to an IPv4 address or 65527 to an IPv6 one, before any system call; what the system says,
   * such as `permission_denied` for a broadcast without `SO_BROADCAST`. On a connected socket also what the other side answered to earlier datagrams,
   * `connection_refused` (where there is the feature `datagramErrors`); nothing was sent then.
   * @throws {TypeError} When there is no address, `to` is not the address that the socket is connected to, or it is of a kind that the socket cannot send to.
   * @throws {RangeError} When the port is 0.
   * @throws {ClosedError} When the socket is closed, now or meanwhile; the datagram may have been sent.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  send(data: Uint8Array | readonly Uint8Array[], to?: DatagramAddress): Promise<void>;
  /**
   * Waits for one datagram.
   *
   * @param buffer Where it goes. What does not fit is lost, and the next call gets the next datagram.
   * @returns How many bytes were copied, who sent it, and whether it was longer than `buffer`.
   * @throws {NetError} On a connected socket, what the other side answered to earlier datagrams: `connection_refused` (where there is the feature
   * `datagramErrors`). The socket can be used on.
   * @throws {BusyError} While another call waits.
   * @throws {ClosedError} When the socket is closed, now or meanwhile.
   * @throws {Cancelled} When the current scope is cancelled; no datagram is lost then.
   */
  recv(buffer: Uint8Array): Promise<ReceivedDatagram>;
  /**
   * Waits for at least one datagram and takes all that have arrived, whole, without copying them.
   *
   * @returns The datagrams, in order.
   * @throws {NetError} As {@linkcode DatagramSocket.recv}, when nothing has arrived before.
   * @throws {BusyError} While another call waits.
   * @throws {ClosedError} When the socket is closed, now or meanwhile.
   * @throws {Cancelled} When the current scope is cancelled; no datagram is lost then.
   */
  recvMany(): Promise<Datagram[]>;
}
