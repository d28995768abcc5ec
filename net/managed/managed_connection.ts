// Copyright 2026 the Sluice authors. MIT license.

import type { StreamAddress } from "../internal.ts";

/**
 * Why a managed connection has ended:
 *
 * - `"closed"`: this side closed it, or its switch has ended;
 * - `"end"`: the peer ended it in order;
 * - `"reset"`: the peer, or the network, broke it;
 * - `"timeout"`: nothing was received for too long, or closing nicely took too long;
 * - `"failed"`: it could not be established, or reading or writing failed otherwise.
 */
export type DisconnectReason = "closed" | "end" | "reset" | "timeout" | "failed";

/**
 * The state of a managed connection. It changes from `"connecting"` to `"connected"`, to
 * `"disconnecting"` while what is queued is sent for the last time, and to `"disconnected"`. Each
 * may be left out but the last, which is final. With the reasons `"reset"` and `"failed"` it has
 * the error.
 */
export type ManagedState =
  | { readonly kind: "connecting" }
  | { readonly kind: "connected" }
  | { readonly kind: "disconnecting" }
  | { readonly kind: "disconnected"; readonly reason: DisconnectReason; readonly error?: unknown };

/** Options for {@linkcode ManagedConnection.closeNicely}. */
export interface CloseNicelyOptions {
  /**
   * How long sending may take, in milliseconds. Then the connection is reset, with the reason
   * `"timeout"`.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
}

/**
 * A connection with two buffers, which never makes its caller wait: `send` and `receive` can be
 * called in any state. A fiber of its switch moves the bytes. Methods that return a promise wait
 * for what the others only look at; they settle when the connection ends too, so look at `state`
 * then.
 *
 * @typeParam D The type of the data.
 *
 * @example A loop of ticks, which never waits for the connection
 * ```ts
 * import { pipe, Switch } from "@sluice/io";
 * import { managedOf } from "@sluice/io/net/managed";
 * import { mockClock } from "@sluice/io/net/testing";
 *
 * await Switch.run(async (sw) => {
 *   const clock = mockClock({ autoAdvance: true });
 *   const [end] = pipe();
 *   const player = managedOf(sw, { source: end, sink: end }, { clock, data: { name: "Ada" } });
 *   for (let tick = 0; tick < 3 && player.alive; tick++) {
 *     const header = player.receive(4); // four bytes, or null until they are there
 *     if (header !== null) console.log(player.data.name, header);
 *     player.send(`tick ${tick}\n`);
 *     await clock.sleep(50);
 *   }
 * });
 * ```
 */
export interface ManagedConnection<D> extends AsyncDisposable {
  /** The state now: a frozen object. */
  readonly state: ManagedState;
  /** Whether the state is not `"disconnected"`. */
  readonly alive: boolean;
  /** The data that it was made with. */
  readonly data: D;
  /** The timeout that it was made with, in milliseconds. */
  readonly timeout: number | undefined;
  /** The address of the peer, if it is known. It stays known after the end. */
  readonly peer: StreamAddress | undefined;
  /**
   * Queues a copy of `data` to send; a text as UTF-8. What is queued while connecting is sent once
   * the connection is established.
   *
   * @param data The bytes or the text.
   * @returns `true` if all of it was queued. `false` if none was: the state is `"disconnecting"` or
   * `"disconnected"`, the flow has no sink, or `maxSendBuffer` would be exceeded.
   * @throws {TypeError} If `data` is neither a `Uint8Array` nor a string.
   */
  send(data: Uint8Array | string): boolean;
  /**
   * Takes exactly `size` bytes from the receive buffer, or none. What was received before the
   * connection ended can still be taken.
   *
   * @param size The number of bytes.
   * @returns The bytes, in new memory; null if there are fewer.
   * @throws {RangeError} If `size` is not a whole number from 0 to `maxReceiveBuffer`.
   */
  receive(size: number): Uint8Array<ArrayBuffer> | null;
  /**
   * Takes up to `size` bytes from the receive buffer.
   *
   * @param size The most bytes.
   * @returns The bytes, in new memory, perhaps none.
   * @throws {RangeError} If `size` is not a whole number >= 0.
   */
  receivePart(size: number): Uint8Array<ArrayBuffer>;
  /**
   * Takes everything from the receive buffer.
   *
   * @returns The bytes, in new memory, perhaps none.
   */
  receiveAll(): Uint8Array<ArrayBuffer>;
  /**
   * Drops exactly `size` bytes from the receive buffer, or none.
   *
   * @param size The number of bytes.
   * @returns Whether they were there.
   * @throws {RangeError} If `size` is not a whole number from 0 to `maxReceiveBuffer`.
   */
  forget(size: number): boolean;
  /**
   * Looks at exactly `size` bytes of the receive buffer, which stay there.
   *
   * @param offset How many bytes to skip.
   * @param size The number of bytes.
   * @returns The bytes, in new memory; null if there are fewer.
   * @throws {RangeError} If a number is not whole, or negative, or both together exceed
   * `maxReceiveBuffer`.
   */
  poll(offset: number, size: number): Uint8Array<ArrayBuffer> | null;
  /**
   * Looks at up to `size` bytes of the receive buffer, which stay there.
   *
   * @param offset How many bytes to skip.
   * @param size The most bytes.
   * @returns The bytes, in new memory, perhaps none.
   * @throws {RangeError} If a number is not a whole number >= 0.
   */
  pollPart(offset: number, size: number): Uint8Array<ArrayBuffer>;
  /** The number of bytes in the receive buffer. */
  readonly bufferLength: number;
  /** Whether the receive buffer is empty. */
  readonly bufferEmpty: boolean;
  /**
   * Ends the connection at once, with the reason `"closed"`. What is unsent is dropped; what was
   * received can still be taken. A pending attempt to connect is cancelled.
   *
   * The flow is closed in the background, as its own `close` does. Disposing the connection closes
   * it and waits for that.
   */
  close(): void;
  /**
   * Sends what is queued, even if the connection must be established first, and ends it then, with
   * the reason `"closed"`. Nothing more can be queued, but bytes are still received meanwhile. In a
   * cancelled scope it does so too, and only does not wait.
   *
   * @param options How long it may take.
   * @returns A promise that is fulfilled when the connection has ended.
   * @throws {TypeError} If the timeout is not a number.
   * @throws {RangeError} If the timeout is negative.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  closeNicely(options?: CloseNicelyOptions): Promise<void>;
  /**
   * Waits until the connection is established, or has ended.
   *
   * @throws {Cancelled} If the current scope is cancelled.
   */
  connected(): Promise<void>;
  /**
   * Waits until the sink has taken everything that was queued, or the connection has ended.
   *
   * @throws {Cancelled} If the current scope is cancelled.
   */
  flushed(): Promise<void>;
  /**
   * Takes exactly `size` bytes, as {@linkcode ManagedConnection.receive} does, once they are there.
   * Several calls are served in order. A cancelled call has taken nothing.
   *
   * @param size The number of bytes.
   * @returns The bytes, in new memory; null if the connection has ended before.
   * @throws {RangeError} If `size` is not a whole number from 0 to `maxReceiveBuffer`.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  received(size: number): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Waits until the connection has ended.
   *
   * @throws {Cancelled} If the current scope is cancelled.
   */
  closed(): Promise<void>;
  /**
   * Waits for the next change of the state, or until bytes are received. After the end it does not
   * wait.
   *
   * @throws {Cancelled} If the current scope is cancelled.
   */
  changed(): Promise<void>;
}
