// Copyright 2026 the Sluice authors. MIT license.

import type { Buffer } from "node:buffer";
import type { Readable } from "node:stream";

/** How many bytes that nobody has read are kept before the stream is paused. */
const receiveLimit = 64 * 1024;

/** The receiving half of a `StreamEnd` over a Node stream: one persistent listener and a bounded buffer of our own. */
export class Incoming {
  readonly #readable: Readable;
  #wake: (() => void) | undefined;
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;
  #paused = false;
  #ended = false;
  #dropping = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(readable: Readable) {
    this.#readable = readable;
  }

  /** Whether the other side has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Begins to read, and calls `wake` whenever {@linkcode Incoming.peek} has something new to say. */
  start(wake: () => void): void {
    this.#wake = wake;
    this.#readable.on("data", this.#onData);
    this.#readable.on("end", this.#onEnd);
    this.#readable.resume();
  }

  /** Takes the listeners away again. What has arrived stays here. */
  stop(): void {
    this.#readable.off("data", this.#onData);
    this.#readable.off("end", this.#onEnd);
    this.#readable.pause();
  }

  /** What is thrown once everything that arrived before is consumed. The first one counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    const piece = this.#pieces[0];
    if (piece !== undefined) return piece;
    if (this.#ended) return null;
    if (this.#failure !== undefined) throw this.#failure.error;
    return undefined;
  }

  consume(size: number): void {
    const piece = this.#pieces[0] as Uint8Array<ArrayBuffer>;
    if (size === piece.length) this.#pieces.shift();
    else this.#pieces[0] = piece.subarray(size);
    this.#size -= size;
    if (!this.#paused || this.#size >= receiveLimit / 2) return;
    this.#paused = false;
    this.#readable.resume();
  }

  drop(): void {
    this.#dropping = true;
    this.#pieces = [];
    this.#size = 0;
    this.#paused = false;
    this.#readable.resume();
  }

  readonly #onData = (chunk: Buffer<ArrayBuffer>): void => {
    if (this.#dropping) return;
    // Not a Buffer, whose slice() means something else.
    this.#pieces.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#size += chunk.length;
    this.#wake?.();
    if (this.#size < receiveLimit || this.#paused) return;
    this.#paused = true;
    this.#readable.pause();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };
}
