// Copyright 2026 the Sluice authors. MIT license.

import { ByteQueue } from "../../../base/internal.ts";
import { writeLimit } from "../../../flow/internal.ts";
import type { ProviderStream, ProviderStreamEvents } from "../../provider/internal.ts";
import type { SocketOptionName, SocketOptionValue, StreamAddress } from "../../mod.ts";
import { systemError } from "./_system_error.ts";
import type { Deferred, Turn } from "./_turn.ts";

/** How many bytes may have arrived without being read. */
const capacity = 64 * 1024;

/** One end of a connection in memory. Bytes written arrive at the other end in the same turn. */
export class MemoryStream implements ProviderStream, Deferred {
  /** Returns the two ends of a connection, the one at `local` first. */
  static pair(local: StreamAddress, peer: StreamAddress, turn: Turn): [MemoryStream, MemoryStream] {
    const one = new MemoryStream(local, peer, turn);
    const other = new MemoryStream(peer, local, turn);
    one.#other = other;
    other.#other = one;
    return [one, other];
  }

  readonly local: StreamAddress;
  readonly peer: StreamAddress;
  /** Always true: bytes are delivered as they are accepted. */
  readonly flushed = true;
  /** Called once, when this end has closed. */
  onGone: (() => void) | undefined;
  readonly #turn: Turn;
  readonly #arrived: ByteQueue = new ByteQueue(capacity);
  #other: MemoryStream = this;
  #events: ProviderStreamEvents | undefined;
  /** Whether this end discards what arrives. */
  #dropping = false;
  /** Whether the other end has ended its output, and whether this one has. */
  #endArrived = false;
  #ended = false;
  /** Whether this end was closed, so that writes of the other end fail. */
  #closed = false;
  /** The error of a reset by the other end. */
  #reset: Error | undefined;
  #gone = false;
  #noDelay: SocketOptionValue = true;

  constructor(local: StreamAddress, peer: StreamAddress, turn: Turn) {
    this.local = local;
    this.peer = peer;
    this.#turn = turn;
  }

  attach(events: ProviderStreamEvents): void {
    this.#events = events;
    if (this.#gone) queueMicrotask(() => events.closed());
  }

  get unsent(): number {
    return this.#other.#arrived.size;
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    const bytes = this.#arrived.peek();
    if (bytes !== undefined) return bytes;
    if (this.#endArrived) return null;
    if (this.#reset !== undefined) throw this.#reset;
    return undefined;
  }

  consume(size: number): boolean {
    this.#arrived.consume(size);
    this.#other.tryAgain();
    this.#closeIfDone();
    return this.#arrived.size > 0;
  }

  drop(): void {
    this.#dropping = true;
    this.#arrived.clear();
    this.#other.tryAgain();
    this.#closeIfDone();
  }

  write(bytes: Uint8Array): number {
    const size = this.#room(bytes.length);
    return size === 0 ? 0 : this.#send(size, (queue) => queue.add(bytes.subarray(0, size)));
  }

  give(buffers: readonly Uint8Array[]): number {
    const size = this.#room(buffers.reduce((sum, { length }) => sum + length, 0));
    return size === 0 ? 0 : this.#send(size, (queue) => {
      let left = size;
      for (const bytes of buffers) {
        if (left === 0) return;
        const part = bytes.subarray(0, left);
        queue.add(part);
        left -= part.length;
      }
    });
  }

  end(): void {
    if (this.#ended || this.#gone) return;
    this.#ended = true;
    this.#other.#takeEnd();
    this.#closeIfDone();
  }

  close(): void {
    if (this.#gone) return;
    this.#closed = true;
    this.#arrived.clear();
    this.end();
    this.#other.tryAgain(); // its writes fail from now on
    this.#finish();
  }

  abort(): void {
    if (this.#gone) return;
    this.#arrived.clear();
    this.#other.#takeReset();
    this.#finish();
  }

  /** Breaks both ends, because their host has crashed. */
  crash(): void {
    this.#other.#takeReset();
    this.#takeReset();
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    if (name === "TCP_NODELAY") this.#noDelay = value;
  }

  getOption(name: SocketOptionName): SocketOptionValue | undefined {
    return name === "TCP_NODELAY" ? this.#noDelay : undefined;
  }

  /** Called when writing may be possible again, or fails. */
  tryAgain(): void {
    this.#events?.writable();
  }

  /** Returns how many of `wanted` bytes the other end takes now. */
  #room(wanted: number): number {
    if (this.#reset !== undefined) throw this.#reset;
    if (this.#other.#closed) throw systemError("EPIPE", "write", this.peer);
    const limit = Math.min(wanted, writeLimit);
    const size = this.#other.#dropping ? limit : this.#other.#arrived.room(limit);
    return size > 0 && this.#turn.admits(this) ? size : 0;
  }

  #send(size: number, add: (queue: ByteQueue) => void): number {
    const other = this.#other;
    if (other.#dropping) return size;
    add(other.#arrived);
    other.#events?.readable();
    return size;
  }

  #takeEnd(): void {
    this.#endArrived = true;
    this.#events?.readable();
    this.#closeIfDone();
  }

  #takeReset(): void {
    if (this.#gone) return;
    this.#reset = systemError("ECONNRESET", "read", this.peer);
    // The end is lost with the bytes before it.
    if (this.#arrived.size > 0) this.#endArrived = false;
    this.#arrived.clear();
    this.#finish();
  }

  /** Closes this end once both directions have ended and everything was read. */
  #closeIfDone(): void {
    if (this.#ended && this.#endArrived && this.#arrived.size === 0) this.#finish();
  }

  #finish(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.onGone?.();
    const events = this.#events;
    if (events !== undefined) queueMicrotask(() => events.closed());
  }
}
