// Copyright 2026 the Sluice authors. MIT license.

import type { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers";

/** How many bytes that nobody has read are kept before the stream is paused. */
const receiveLimit = 64 * 1024;

/** And how many pieces, for each costs memory beside its bytes: a peer that sends single bytes must not cost a hundred times what it sends. */
const pieceLimit = 128;

/** When what has arrived counts as read. The first turn may be over before any input is looked for. */
const quietTurns = 2;
const mostTurns = 50;

/** The receiving half of a `StreamEnd` over a Node stream: one persistent listener and a bounded buffer of our own. */
export class Incoming {
  readonly #readable: Readable;
  #wake: (() => void) | undefined;
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;
  #received = 0;
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

  /** Whether something has arrived that nobody has read. */
  get unread(): boolean {
    return this.#size > 0;
  }

  /** Begins to read, and calls `wake` whenever {@linkcode Incoming.peek} has something new to say. */
  start(wake: () => void): void {
    this.#wake = wake;
    this.#readable.on("data", this.#onData);
    this.#readable.on("end", this.#onEnd);
    if (this.#readable.readableEnded) this.#onEnd();
    else this.#readable.resume();
  }

  /** Takes the listeners away again. What has arrived stays here. */
  stop(): void {
    this.#readable.off("data", this.#onData);
    this.#readable.off("end", this.#onEnd);
    this.#readable.pause();
  }

  /**
   * Waits until what the system has received is read, as far as can be told: until some turns have brought nothing, or
   * there were too many. For a socket that is closed with unread input is reset, and the other side may lose what it was
   * sent before.
   */
  async settled(): Promise<void> {
    for (let turn = 0, quiet = 0; turn < mostTurns && quiet < quietTurns && !this.#ended; turn++) {
      const before = this.#received;
      await new Promise((resolve) => setTimeout(resolve, 1)); // a turn without time is too short on Deno
      quiet = this.#received === before ? quiet + 1 : 0;
    }
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

  /** Whether more has arrived. */
  consume(size: number): boolean {
    const piece = this.#pieces[0] as Uint8Array<ArrayBuffer>;
    if (size === piece.length) this.#pieces.shift();
    else this.#pieces[0] = piece.subarray(size);
    this.#size -= size;
    if (this.#paused && this.#size < receiveLimit / 2 && this.#pieces.length < pieceLimit / 2) {
      this.#paused = false;
      this.#readable.resume();
    }
    return this.#pieces.length > 0;
  }

  drop(): void {
    this.#dropping = true;
    this.#pieces = [];
    this.#size = 0;
    this.#paused = false;
    this.#readable.resume();
  }

  readonly #onData = (chunk: Buffer<ArrayBuffer>): void => {
    if (!((chunk as unknown) instanceof Uint8Array)) {
      this.stop();
      return this.fail(new TypeError(`Cannot read from a stream of ${typeof chunk}s: it must give bytes`));
    }
    this.#received += chunk.length;
    if (this.#dropping || chunk.length === 0) return;
    this.#pieces.push(chunk);
    this.#size += chunk.length;
    this.#wake?.();
    if (this.#paused || (this.#size < receiveLimit && this.#pieces.length < pieceLimit)) return;
    this.#paused = true;
    this.#readable.pause();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };
}
