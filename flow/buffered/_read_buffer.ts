// Copyright 2026 the Sluice authors. MIT license.

import { isCancelled, refused, yieldNow } from "../../switch/internal.ts";
import {
  type Borrower,
  BufferLimitExceeded,
  BusyError,
  checkTaken,
  copyTo,
  EndOfFlow,
  ignore,
  isSilent,
  labelOf,
  type LendingSource,
  lendOne,
  lends,
  lendSome,
  lengthOf,
  lost,
  readSome,
  rejection,
  type Source,
  vanished,
  viewOf,
  writeLimit,
} from "../internal.ts";

const nothing: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/**
 * After this many reads an operation yields to other tasks: a source that never waits would starve
 * them.
 */
const readsPerYield = 256;

/** Memory that is kept even if mostly unused, in bytes. */
const smallMemory = 1024;

/** The result of an attempt that needs more bytes. */
export const more: unique symbol = Symbol("more");

/** The sizes of a {@linkcode ReadBuffer}. */
export interface ReadBufferSizes {
  /** The most that is buffered, in bytes. */
  readonly maxSize: number;
  /** The first allocation, in bytes, for a source that is not a {@linkcode LendingSource}. */
  readonly initialSize: number;
}

/**
 * The buffer of a `BufReader`: bytes read but not consumed. It reads only on demand, and runs one
 * operation at a time.
 *
 * It takes over the memory of a {@linkcode LendingSource}, if the source allows it, and holds none
 * while it waits empty.
 */
export class ReadBuffer {
  /** The memory that holds the buffered bytes, from `start` to `end`. */
  memory: Uint8Array<ArrayBuffer> = nothing;
  start = 0;
  end = 0;
  /** How many bytes were consumed since the beginning. */
  consumed = 0;
  /** Whether the source has ended. It is not read again then. */
  ended = false;
  /** Whether an operation is in progress. */
  busy = false;
  /** The most that is buffered, in bytes. */
  readonly maxSize: number;

  /** The source it reads from. */
  readonly source: Source;

  readonly #initialSize: number;
  /** The result of the operation in progress, if it has to wait. */
  #running: Promise<unknown> | undefined;
  /** Whether {@linkcode ReadBuffer.handOver} was called. */
  #handedOver = false;
  /** Whether `memory` was allocated here, and may be written to. */
  #isOwn = false;
  /** Whether a borrower of `memory` may keep it. */
  #keep = false;
  #view: DataView | undefined;

  constructor(source: Source, sizes: ReadBufferSizes) {
    this.source = source;
    this.maxSize = sizes.maxSize;
    this.#initialSize = sizes.initialSize;
  }

  /** How many bytes are buffered. */
  get size(): number {
    return this.end - this.start;
  }

  /** A view of `memory`, for numbers. */
  get view(): DataView {
    return this.#view ??= new DataView(this.memory.buffer, this.memory.byteOffset, this.memory.length);
  }

  /** Returns the buffered bytes, not copied. */
  peek(): Uint8Array<ArrayBuffer> {
    if (this.end > this.memory.length) {
      if (this.size > 0) throw lost();
      return nothing;
    }
    return this.memory.subarray(this.start, this.end);
  }

  /** Reports whether an operation that needs `size` bytes can run synchronously. */
  ready(size: number): boolean {
    return this.end - this.start >= size && this.memory.length >= this.end && !this.busy && !isCancelled();
  }

  /**
   * Reports whether `size` bytes are buffered; if not, they may be after one more read.
   *
   * @throws {BufferLimitExceeded} If that is more than the limit.
   * @throws {EndOfFlow} If the source has ended before.
   */
  has(size: number): boolean {
    if (this.size >= size) return true;
    if (size > this.maxSize) throw this.#limitExceeded();
    this.moreFor(`read ${size} bytes`);
    return false;
  }

  /**
   * Returns {@linkcode more}.
   *
   * @throws {EndOfFlow} If the source has ended, after `seen` of the required bytes.
   */
  moreFor(action: string, seen: number = this.size): typeof more {
    if (this.ended) throw new EndOfFlow(`Cannot ${action}: the flow ended after ${seen}`);
    return more;
  }

  /**
   * Returns how many buffered bytes pass `test`, from the first. The first `passed` have passed it
   * already.
   */
  match(test: (byte: number) => boolean, passed: number): number {
    let at = this.start + passed;
    while (at < this.end && test(this.memory[at] as number)) at++;
    return at - this.start;
  }

  /** Consumes the first `size` bytes, which must be buffered. */
  consume(size: number): void {
    this.start += size;
    this.consumed += size;
  }

  /** Consumes the first `size` bytes, and returns a copy. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const bytes = this.memory.slice(this.start, this.start + size);
    this.consume(size);
    return bytes;
  }

  /** Buffers `bytes` without copying them. Their memory is never written to. */
  adopt(bytes: Uint8Array<ArrayBuffer>, keep: boolean): void {
    this.#use(bytes, 0, bytes.length, false);
    this.#keep = keep;
  }

  /**
   * Calls `attempt` until it returns a result other than {@linkcode more}, and reads once before
   * each further call. The first call is synchronous, so that buffered bytes are returned without
   * waiting.
   *
   * @param attempt Looks at the buffered bytes. Once the source has ended it must not return
   * `more`.
   * @param wanted How many bytes must be buffered for the next call; by default one more than there
   * are.
   * @param what What is read, for the error if it is too long: "a line".
   */
  until<T>(attempt: () => T | typeof more, wanted?: number, what?: string): Promise<T> {
    const refusal = this.#begin();
    if (refusal !== undefined) return refusal;
    try {
      const given = attempt();
      if (given === more) return this.#retry(attempt, wanted, what);
      this.busy = false;
      return Promise.resolve(given);
    } catch (error) {
      return rejection(this.#failed(error));
    }
  }

  /**
   * Reads like a source, through the buffer. If that is empty, and `buffer` is at least as large,
   * it reads directly.
   */
  readInto(buffer: Uint8Array): Promise<number | null> {
    const view = viewOf(buffer);
    return this.#runAlone(async () => {
      if (this.size === 0) {
        if (this.ended) return null;
        if (view.length >= (this.#isOwn ? this.memory.length : this.#initialSize)) {
          const count = await readSome(this.source, view);
          this.consumed += count ?? 0;
          return this.#noteEnd(count);
        }
        if (this.#noteEnd(await this.#readMore(1)) === null) return null;
      }
      const length = lengthOf(buffer);
      if (length === 0) throw vanished("read");
      const size = Math.min(this.size, length);
      copyTo(buffer, this.memory.subarray(this.start, this.start + size), 0);
      this.consume(size);
      return size;
    });
  }

  /** Returns the buffered bytes, and ends the reader. */
  handOver(): Uint8Array<ArrayBuffer> {
    const bytes = this.peek();
    this.#release();
    this.#handedOver = true;
    return bytes;
  }

  /** Returns why no operation can begin, or `undefined`. */
  problem(): Error | undefined {
    if (this.busy) return new BusyError("read", { flow: labelOf(this.source) });
    if (this.#handedOver) return new TypeError("Cannot read: unread() has handed over what was buffered");
    return this.#isLost ? lost() : undefined;
  }

  /** Whether the memory of buffered bytes has vanished: its lender or a borrower transferred it. */
  get #isLost(): boolean {
    return this.end > this.memory.length && this.size > 0;
  }

  /** Lends like a source: first the buffered bytes, and then what the source lends. */
  lend(use: Borrower): Promise<number | null> {
    return this.#runAlone(async () => {
      let total = 0;
      for (let pieces = 0; pieces < readsPerYield; pieces++) {
        if (this.size === 0) {
          if (!this.ended && lends(this.source)) {
            this.#release();
            const rest = this.#noteEnd(await lendSome(this.source, (bytes, keep) => this.#pass(use, bytes, keep)));
            return rest === null ? total || null : total + rest;
          }
          if (this.ended || this.#noteEnd(await this.#readMore(1)) === null) return total || null;
        }
        const { size } = this; // before the borrower can transfer the memory
        const answer = use(this.peek(), this.#keep);
        const taken = checkTaken(await answer, size);
        this.consume(taken);
        total += taken;
        if (this.size === 0 && this.memory.length === 0) this.#release();
        if (typeof answer !== "number" || taken < size) break;
      }
      return total;
    });
  }

  /** Refuses an operation, or marks it as in progress. */
  #begin(): Promise<never> | undefined {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (this.busy || this.#handedOver || this.end > this.memory.length) {
      const problem = this.problem();
      if (problem !== undefined) return Promise.reject(problem);
      this.#release();
    }
    this.busy = true;
    return undefined;
  }

  #runAlone<T>(operation: () => Promise<T>): Promise<T> {
    const refusal = this.#begin();
    if (refusal !== undefined) return refusal;
    const running = this.#run(operation);
    this.#running = running;
    return running;
  }

  async #run<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return this.#done(await operation());
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Not an async function: an idle connection would keep its frame. May throw synchronously. */
  #retry<T>(attempt: () => T | typeof more, wanted: number | undefined, what: string | undefined): Promise<T> {
    const running = this.#readMore(wanted ?? this.size + 1, what).then((count) => {
      try {
        this.#noteEnd(count);
        const given = attempt();
        return given === more ? this.#keepRetrying(attempt, wanted, what) : this.#done(given);
      } catch (error) {
        throw this.#failed(error);
      }
    }, (error) => {
      throw this.#failed(error);
    });
    this.#running = running;
    return running;
  }

  async #keepRetrying<T>(
    attempt: () => T | typeof more,
    wanted: number | undefined,
    what: string | undefined,
  ): Promise<T> {
    try {
      for (let reads = 2;; reads++) {
        this.#noteEnd(await this.#readMore(wanted ?? this.size + 1, what));
        const given = attempt();
        if (given !== more) return this.#done(given);
        if (reads % readsPerYield === 0) await yieldNow();
      }
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #done<T>(value: T): T {
    this.busy = false;
    this.#running = undefined;
    return value;
  }

  /**
   * Records that the operation has failed, so that a silent error is not an unhandled rejection.
   */
  #failed(error: unknown): unknown {
    if (isSilent(error)) this.#running?.catch(ignore);
    return this.#done(error);
  }

  #limitExceeded(what?: string): BufferLimitExceeded {
    return new BufferLimitExceeded(this.maxSize, { what, offset: this.consumed, flow: labelOf(this.source) });
  }

  /**
   * Reads once, with room for `wanted` buffered bytes. Not an async function: an idle connection
   * would keep its frame. May throw synchronously.
   */
  #readMore(wanted: number, what?: string): Promise<number | null> {
    if (wanted > this.maxSize) throw this.#limitExceeded(what);
    const source = this.source;
    return lends(source) ? this.#borrow(source, wanted) : this.#read(wanted);
  }

  /** Notes the end of the source, and returns the result of the read. */
  #noteEnd(count: number | null): number | null {
    if (count === null) this.ended = true;
    if (this.#isLost) throw lost();
    return count;
  }

  async #read(wanted: number): Promise<number | null> {
    this.#makeRoom(wanted);
    const count = await readSome(this.source, this.memory.subarray(this.end));
    if (count !== null) this.end += count;
    return count;
  }

  #borrow(source: LendingSource, wanted: number): Promise<number | null> {
    if (this.size === 0) this.#release();
    else if (this.memory.buffer.byteLength > 4 * this.size + smallMemory) {
      this.#use(this.memory.slice(this.start, this.end), 0, this.size, true); // shrink to fit
    }
    return lendOne(source, (bytes, keep) => {
      if (bytes.length === 0) throw new TypeError("Cannot read: the source lent no bytes");
      if (keep && this.size === 0) {
        this.adopt(bytes.subarray(0, this.maxSize), true);
        return this.size;
      }
      this.#makeRoom(Math.max(wanted, Math.min(this.size + Math.min(bytes.length, writeLimit), this.maxSize)), wanted);
      const part = bytes.subarray(0, this.memory.length - this.end);
      this.memory.set(part, this.end);
      this.end += part.length;
      return part.length;
    });
  }

  /**
   * Makes room for `wanted` buffered bytes in own memory: moves the buffered bytes to the front, or
   * at least doubles the memory.
   *
   * @param first The size of a first allocation.
   */
  #makeRoom(wanted: number, first = this.#initialSize): void {
    const { size } = this;
    if (this.#isOwn && wanted <= this.memory.length) {
      if (size > 0 && this.start + wanted <= this.memory.length) return;
      this.memory.copyWithin(0, this.start, this.end);
      this.start = 0;
      this.end = size;
      return;
    }
    const current = this.#isOwn ? this.memory.length : first;
    const doubled = Math.min(this.maxSize, current * 2);
    const grown = new Uint8Array(!this.#isOwn && wanted <= first ? first : Math.max(wanted, doubled));
    grown.set(this.peek());
    this.#use(grown, 0, size, true);
  }

  /** Releases the memory of an empty buffer. */
  #release(): void {
    this.#use(nothing, 0, 0, false);
  }

  #use(memory: Uint8Array<ArrayBuffer>, start: number, end: number, isOwn: boolean): void {
    this.memory = memory;
    this.start = start;
    this.end = end;
    this.#isOwn = isOwn;
    this.#keep = false;
    this.#view = undefined;
  }

  /** Lends bytes that bypass the buffer, and counts each piece. */
  #pass(use: Borrower, bytes: Uint8Array<ArrayBuffer>, keep: boolean): number | Promise<number> {
    const { length } = bytes; // before the borrower can transfer the memory
    const count = (taken: number) => (this.consumed += checkTaken(taken, length), taken);
    const answer = use(bytes, keep);
    return typeof answer === "number" ? count(answer) : Promise.resolve(answer).then(count);
  }
}
