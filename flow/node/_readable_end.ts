// Copyright 2026 the Sluice authors. MIT license.

import type { Readable } from "node:stream";
import { startTimer } from "../../switch/internal.ts";
import { isBytes, isGone, lost, type StreamEvents, unshared, viewOf } from "../internal.ts";
import { awaitQuietInput, ReceiveQueue } from "./_receive_queue.ts";

/** The receiver of readability notifications. */
export type Reader = Pick<StreamEvents, "readable">;

/**
 * The receiving half of a `StreamEnd` over a Node stream: one persistent listener and a bounded
 * buffer.
 */
export class Incoming {
  readonly #readable: Readable;
  readonly #queue: ReceiveQueue = new ReceiveQueue();
  #reader: Reader | undefined;
  #stop: (() => void) | undefined;
  #received = 0;
  #paused = false;
  #ended = false;
  #dropping = false;
  #failure: { readonly error: unknown } | undefined;
  #onOver: (() => void) | undefined;

  constructor(readable: Readable) {
    this.#readable = readable;
  }

  /** Whether the peer has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether unread input is buffered. */
  get unread(): boolean {
    return this.#queue.first !== undefined;
  }

  /**
   * Starts reading a foreign stream, whose chunks may be any value, and notifies `reader` when
   * {@linkcode Incoming.peek} has a new result.
   */
  start(reader: Reader): void {
    const take = (chunk: unknown) => this.#takeAny(chunk);
    const finish = () => this.finish();
    this.#readable.on("data", take).on("end", finish);
    this.#stop = () => this.#readable.off("data", take).off("end", finish).pause();
    this.attach(reader);
  }

  /**
   * Starts reading a socket of a backend, which has its own listeners and calls
   * {@linkcode Incoming.take} and {@linkcode Incoming.finish}.
   */
  attach(reader: Reader): void {
    this.#reader = reader;
    if (this.#readable.readableEnded) this.finish();
    else this.#readable.resume();
  }

  /** Removes the listeners. Buffered input stays readable. */
  stop(): void {
    this.#stop?.();
  }

  /** Adds received bytes. */
  take(chunk: Uint8Array<ArrayBuffer>): void {
    this.#received += chunk.length;
    if (this.#dropping || chunk.length === 0) return;
    this.#queue.add(chunk);
    this.#reader?.readable();
    if (this.#paused || !this.#queue.full) return;
    this.#paused = true;
    this.#readable.pause();
  }

  #takeAny(chunk: unknown): void {
    if (isBytes(chunk) && !isGone(chunk)) return this.take(unshared(viewOf(chunk)));
    this.stop();
    if (isBytes(chunk)) this.fail(lost());
    else this.fail(new TypeError(`Cannot read from a stream of ${typeof chunk}s: it must give bytes`));
  }

  /** Notes that the peer has ended. */
  finish(): void {
    this.#ended = true;
    this.#onOver?.();
    this.#reader?.readable();
  }

  /** Waits until what the system has received is read, as far as can be told. */
  settled(): Promise<void> {
    return awaitQuietInput(() => this.#ended ? undefined : this.#received);
  }

  /**
   * Sets the error to throw once everything that arrived before is consumed. The first one counts,
   * and none after the end.
   */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#failure ??= { error };
    this.#onOver?.();
    this.#reader?.readable();
  }

  /** Waits until the peer has ended, or the stream has broken, or `ms` milliseconds have passed. */
  async over(ms: number): Promise<void> {
    if (this.#ended || this.#failure !== undefined) return;
    await new Promise<void>((resolve) => {
      const timer = startTimer(ms, resolve);
      this.#onOver = () => {
        timer.stop();
        resolve();
      };
    });
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    const { first } = this.#queue;
    if (first !== undefined) return first;
    if (this.#ended) return null;
    if (this.#failure !== undefined) throw this.#failure.error;
    return undefined;
  }

  /** Consumes bytes, and reports whether more have arrived. */
  consume(size: number): boolean {
    const more = this.#queue.consume(size);
    if (this.#paused && this.#queue.low) {
      this.#paused = false;
      this.#readable.resume();
    }
    return more;
  }

  drop(): void {
    this.#dropping = true;
    this.#queue.clear();
    this.#paused = false;
    this.#readable.resume();
  }
}
