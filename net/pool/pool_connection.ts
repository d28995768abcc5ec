// Copyright 2026 the Sluice authors. MIT license.

import type { Connection, StreamAddress } from "../internal.ts";

/**
 * A connection of a pool, for its callbacks. It lives until `closed` has returned; then the pool
 * closes the socket. Other code may keep it to {@linkcode PoolConnection.post} messages.
 *
 * @example Messages between connections
 * ```ts
 * import { type PoolConnection, type PoolHandler, proceed } from "@sluice/io/net/pool";
 *
 * const members = new Set<PoolConnection>();
 * const shout: PoolHandler<undefined> = {
 *   connected(c) {
 *     members.add(c);
 *     return proceed();
 *   },
 *   received(_, bytes) {
 *     for (const member of members) member.post(bytes);
 *     return proceed();
 *   },
 *   async posted(c, message) {
 *     if (message instanceof Uint8Array) await c.write(message);
 *     return proceed();
 *   },
 *   closed(c) {
 *     members.delete(c);
 *   },
 * };
 * ```
 */
export interface PoolConnection {
  /** The address of the peer. */
  readonly peer: StreamAddress;
  /** The local address. */
  readonly local: StreamAddress;
  /** The protocol that TLS has negotiated (ALPN), if the pool got a TLS connection. */
  readonly protocol: string | undefined;
  /** When the pool got the connection, in milliseconds on its clock. */
  readonly acceptedAt: number;
  /** When its first callback was called, in milliseconds on its clock. */
  readonly connectedAt: number;
  /**
   * Writes bytes and texts, in order. A text is written as UTF-8. One write at a time.
   *
   * @param bytes What to write. Bytes must not change until the promise settles.
   * @throws {NetError} `connection_timeout` if it makes no progress for `sendTimeout`, which also
   * resets the connection; `connection_reset` if the peer has reset it.
   * @throws {BusyError} If another write is in progress.
   * @throws {ClosedError} If the connection is closed.
   * @throws {TypeError} If an argument is neither, or the connection was upgraded.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  write(...bytes: (Uint8Array | string)[]): Promise<void>;
  /**
   * Waits for input within a callback. What a callback leaves unread is passed to `received`.
   *
   * @param limit The most bytes to return: a whole number >= 1.
   * @returns At least one byte, in new memory; null at the end.
   * @throws {NetError} `connection_timeout` after `receiveTimeout`.
   * @throws {RangeError} If `limit` is out of range.
   * @throws {BusyError} If another read is in progress.
   * @throws {ClosedError} If the connection is closed.
   * @throws {TypeError} If the connection was upgraded.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  receive(limit?: number): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Reads exactly `size` bytes. An error has consumed nothing.
   *
   * @param size How many bytes: a whole number from 0 to `maxBuffer`.
   * @returns The bytes, in new memory.
   * @throws {EndOfFlow} If the peer ends before.
   * @throws {RangeError} If `size` is out of range.
   * @throws {NetError} `connection_timeout` after `receiveTimeout` in all.
   * @throws {BusyError} If another read is in progress.
   * @throws {ClosedError} If the connection is closed.
   * @throws {TypeError} If the connection was upgraded.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  readExact(size: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Waits for `size` bytes, and returns them without consuming them.
   *
   * @param size How many bytes: a whole number from 0 to `maxBuffer`.
   * @returns A copy of the bytes.
   * @throws {EndOfFlow} If the peer ends before.
   * @throws {RangeError} If `size` is out of range.
   * @throws {NetError} `connection_timeout` after `receiveTimeout` in all.
   * @throws {BusyError} If another read is in progress.
   * @throws {ClosedError} If the connection is closed.
   * @throws {TypeError} If the connection was upgraded.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  peek(size: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Sends a message to the connection, from any code. `posted` is called with each, in order. The
   * queue is not bounded, and what is in it when the connection ends is dropped.
   *
   * @param message The message.
   * @returns Whether it was queued: false once the connection has ended or was upgraded.
   */
  post(message: unknown): boolean;
  /**
   * Hands the connection over, for another protocol: what the pool has buffered is read first, and
   * `sendTimeout` no longer applies. No event is served any more. When the callback that has
   * called this settles, its answer is ignored, `closed` is called, and the connection is closed.
   *
   * @returns The connection.
   * @throws {BusyError} If a read is in progress.
   * @throws {TypeError} If the connection has ended, or was upgraded already.
   */
  upgrade(): Connection;
}
