// Copyright 2026 the Sluice authors. MIT license.

import { currentScope, macrotask, refused, Waiter, WaitQueue } from "../../switch/internal.ts";
import { BusyError, ClosedError, FlushAborted, vanished, writeLimit } from "../internal.ts";

const nothing: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** A part of the pending output. */
export interface Piece {
  readonly memory: Uint8Array;
  /** Whether the memory was allocated here, and no other code can reach it. */
  readonly ours: boolean;
  start: number;
  end: number;
}

/** Returns the rest of a piece. Throws if its memory has vanished since it was scheduled. */
export function bytesOfPiece({ memory, start, end }: Piece): Uint8Array {
  if (memory.length < end) throw vanished("write");
  return memory.subarray(start, end);
}

/**
 * The buffer of a `BufWriter`: pieces that the sink has not taken yet, in order. The last one may
 * grow. Writing never waits; the consumer of the pieces does.
 */
export class WriteBuffer {
  /** The current buffer. The next write goes to `position`. */
  memory: Uint8Array<ArrayBuffer> = nothing;
  position = 0;
  /** How many bytes have not been taken. */
  pending = 0;
  closed = false;

  /** The size of the current buffer, or of the one that the first write allocates. */
  #size: number;
  readonly #mostKept: number;
  #view: DataView | undefined;
  /**
   * Whether a part of the current buffer belongs to a sink, so that it must not be written to
   * again.
   */
  #given = false;
  readonly #pieces: Piece[] = [];
  /** The piece that grows with the current buffer. */
  #open: Piece | undefined;
  #taken = 0;
  #paused = false;
  #aborted: { readonly cause: unknown } | undefined;
  /** The waiting flushes, each with the total number of bytes taken at which it ends. */
  readonly #flushes: WaitQueue<void, number> = new WaitQueue();
  #taker: Waiter<void> | undefined;
  #takeBack: (() => void) | undefined;
  readonly #onDone: () => void;

  /** Calls `onDone` once the buffer is closed and empty. */
  constructor(initialSize: number, onDone: () => void) {
    this.#size = initialSize;
    this.#mostKept = Math.max(initialSize, writeLimit);
    this.#onDone = onDone;
  }

  /** How many bytes fit into the current buffer. */
  get free(): number {
    return this.#size - this.position;
  }

  /** A view of the current buffer, for numbers. */
  get view(): DataView {
    return this.#view ??= new DataView(this.memory.buffer);
  }

  /** Whether the pending output was dropped. */
  get aborted(): boolean {
    return this.#aborted !== undefined;
  }

  /**
   * Throws if writing has ended: after an abort, the cancellation of the current scope, if there is
   * one.
   */
  check(): void {
    if (this.#aborted !== undefined) {
      const { cause } = this.#aborted;
      throw currentScope()?.reason ?? new ClosedError("write", "the writer was aborted", { cause });
    }
    if (this.closed) throw new ClosedError("write", "the writer is closed");
  }

  /** Makes room for `size` bytes at `position`, with a new buffer if necessary. */
  prepare(size: number): void {
    if (this.closed) this.check();
    if (this.memory.length - this.position >= size) return;
    // A single large write does not enlarge all later buffers.
    this.#size = Math.max(Math.min(this.#size, this.#mostKept), size);
    this.memory = new Uint8Array(this.#size);
    this.position = 0;
    this.#view = this.#open = undefined;
    this.#given = false;
  }

  /** Adds `size` bytes, which have been written to `position`. */
  commit(size: number): void {
    if (size === 0) return;
    const start = this.position;
    this.position += size;
    if (this.#open === undefined) {
      this.#open = { memory: this.memory, ours: true, start, end: this.position };
      this.#pieces.push(this.#open);
    } else this.#open.end = this.position;
    this.#added(size);
  }

  /** Adds `bytes` by reference. */
  schedule(bytes: Uint8Array): void {
    this.check();
    if (bytes.length === 0) return;
    this.#open = undefined;
    this.#pieces.push({ memory: bytes, ours: false, start: 0, end: bytes.length });
    this.#added(bytes.length);
  }

  pause(): void {
    if (this.closed) return; // the pause would never end
    this.#paused = true;
    this.#takeBack?.();
    this.#takeBack = undefined;
  }

  unpause(): void {
    this.#paused = false;
    this.#wake();
  }

  /** Waits until everything pending now has been taken. */
  flush(): Promise<void> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (this.#aborted !== undefined) return ignored(Promise.reject(new FlushAborted(this.#aborted.cause)));
    this.#paused = false;
    if (this.pending === 0) return Promise.resolve();
    const flushing = this.#flushes.wait("flush", this.#taken + this.pending);
    this.#wake();
    return ignored(flushing);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#paused = false;
    this.#wake();
    if (this.pending === 0) this.#onDone();
  }

  /** Drops the pending output, and fails the waiting flushes. */
  abort(cause?: unknown): void {
    if (this.aborted || this.closed && this.pending === 0) return;
    this.#aborted = { cause };
    this.#pieces.length = 0;
    this.#open = undefined;
    this.pending = 0;
    this.memory = nothing;
    this.position = this.#size = 0;
    this.closed = true;
    this.#paused = false;
    for (let next; (next = this.#flushes.oldest) !== undefined;) {
      this.#flushes.remove(next);
      next.reject(new FlushAborted(cause));
    }
    this.#wake();
    this.#onDone();
  }

  /**
   * Waits until there are bytes to take.
   *
   * @param lazy Whether to wait for the next turn of the event loop unless it is urgent, so that
   * what is written until then is taken too.
   * @returns Whether there are; false once no more will come.
   */
  async ready(lazy: boolean): Promise<boolean> {
    for (let wait = lazy && !this.#urgent;; wait = false) {
      const refusal = refused(); // after each wait: a waiter made in a cancelled scope would never be woken
      if (refusal !== undefined) return await refusal;
      if (this.#taker !== undefined) throw new BusyError("awaitBatch");
      if (this.pending === 0 && this.closed) return false;
      if (this.pending > 0 && !this.#paused && !wait) return true;
      const taker: Waiter<void> = new Waiter("awaitBatch", (_, reason) => {
        this.#release();
        taker.reject(reason);
      });
      this.#taker = taker;
      this.#wake();
      await taker.promise;
    }
  }

  /** Returns the first pieces, up to about `limit` bytes but at least one. */
  pieces(limit = Infinity): Piece[] {
    let size = 0;
    const count = this.#pieces.findIndex(({ start, end }) => (size += end - start) > limit);
    return count < 0 ? this.#pieces : this.#pieces.slice(0, Math.max(1, count));
  }

  /**
   * Drops the first `size` bytes, which the sink has taken. Does nothing after an abort.
   *
   * @param given Whether their memory belongs to the sink now.
   */
  shift(size: number, given = false): void {
    if (this.aborted) return;
    this.#given ||= given;
    this.pending -= size;
    this.#taken += size;
    let left = size;
    let gone = 0;
    for (const piece of this.#pieces) {
      const part = Math.min(left, piece.end - piece.start);
      piece.start += part;
      left -= part;
      if (piece.start < piece.end) break;
      gone++;
    }
    this.#pieces.splice(0, gone);
    if (this.#pieces.length === 0) {
      this.#open = undefined;
      if (!this.#given) this.position = 0;
    }
    for (let next; (next = this.#flushes.oldest) !== undefined && next.payload <= this.#taken;) {
      this.#flushes.wakeOne(undefined);
    }
    if (this.closed && this.pending === 0) {
      this.#wake();
      this.#onDone();
    }
  }

  /** Whether a flush or the close waits, or there is enough for a full write. */
  get #urgent(): boolean {
    return this.closed || !this.#flushes.empty || this.pending >= writeLimit;
  }

  #added(size: number): void {
    this.pending += size;
    if (this.#taker !== undefined) this.#wake();
  }

  /** Wakes the consumer: now if it is urgent, else in the next turn. */
  #wake(): void {
    if (this.#taker === undefined || this.#paused) return;
    if (this.closed || this.pending > 0 && this.#urgent) this.#release()?.resolve();
    else if (this.pending > 0) this.#takeBack ??= macrotask(() => this.#release()?.resolve());
  }

  #release(): Waiter<void> | undefined {
    const taker = this.#taker;
    this.#takeBack?.();
    this.#taker = this.#takeBack = undefined;
    return taker;
  }
}

/** Marks a rejection as handled, and returns the promise. */
function ignored<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
