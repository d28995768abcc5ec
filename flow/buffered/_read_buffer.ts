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

/** After so many reads one operation lets everything else run once: a source that never waits would starve it. */
const readsPerYield = 256;

/** Memory that is kept although little of it is still needed, in bytes. */
const smallMemory = 1024;

/** What an attempt gives that needs more bytes. */
export const more: unique symbol = Symbol("more");

/** How large a {@linkcode ReadBuffer} may be. */
export interface ReadBufferSizes {
  /** The most that is buffered, in bytes. */
  readonly maxSize: number;
  /** What is allocated at first, in bytes, to read from a source that does not lend. */
  readonly initialSize: number;
}

/**
 * What a `BufReader` has read and nobody has used yet. It reads only when asked for more, and one operation runs at a time.
 *
 * From a source that lends it takes the memory over where it may, and holds none while it waits with nothing buffered.
 */
export class ReadBuffer {
  /** What is buffered lies here, from `start` to `end`. */
  memory: Uint8Array<ArrayBuffer> = nothing;
  start = 0;
  end = 0;
  /** How many bytes were consumed since the beginning. */
  consumed = 0;
  /** Whether the source has ended. It is not touched any more then. */
  ended = false;
  /** Whether an operation is under way. */
  busy = false;
  /** The most that is buffered. */
  readonly maxSize: number;

  /** Where it reads. */
  readonly source: Source;

  readonly #initialSize: number;
  /** The result of the operation that is under way, if it has to wait. */
  #running: Promise<unknown> | undefined;
  /** Whether what was buffered was handed over. */
  #over = false;
  /** Whether `memory` was allocated here, to be written to. */
  #ours = false;
  /** Whether whoever borrows from `memory` may keep it. */
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

  /** What is buffered, where it lies. */
  peek(): Uint8Array<ArrayBuffer> {
    if (this.end > this.memory.length) {
      if (this.size > 0) throw lost();
      return nothing;
    }
    return this.memory.subarray(this.start, this.end);
  }

  /** Whether an operation that needs `size` bytes may run at once. */
  ready(size: number): boolean {
    return this.end - this.start >= size && this.memory.length >= this.end && !this.busy && !isCancelled();
  }

  /**
   * Whether `size` bytes are buffered; if not, they may be after one more read.
   *
   * @throws {BufferLimitExceeded} When they would be too many.
   * @throws {EndOfFlow} When they will never come.
   */
  has(size: number): boolean {
    if (this.size >= size) return true;
    if (size > this.maxSize) throw this.#limitExceeded();
    this.moreFor(`read ${size} bytes`);
    return false;
  }

  /** Asks for more. @throws {EndOfFlow} When the source has ended, after `seen` bytes of what was asked for. */
  moreFor(action: string, seen: number = this.size): typeof more {
    if (this.ended) throw new EndOfFlow(`Cannot ${action}: the flow ended after ${seen}`);
    return more;
  }

  /** How many bytes from the beginning pass `test`. The first `passed` have passed it already. */
  match(test: (byte: number) => boolean, passed: number): number {
    let at = this.start + passed;
    while (at < this.end && test(this.memory[at] as number)) at++;
    return at - this.start;
  }

  /** Drops the first `size` bytes, which must be there. */
  consume(size: number): void {
    this.start += size;
    this.consumed += size;
  }

  /** A copy of the first `size` bytes, which are consumed. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const bytes = this.memory.slice(this.start, this.start + size);
    this.consume(size);
    return bytes;
  }

  /** Buffers `bytes`, where they lie: nobody writes to them here. */
  adopt(bytes: Uint8Array<ArrayBuffer>, keep: boolean): void {
    this.#use(bytes, 0, bytes.length, false);
    this.#keep = keep;
  }

  /**
   * Calls `attempt` until it gives something else than {@linkcode more}, with one read before each further call. It is called at once, so that what is
   * there already is given without waiting.
   *
   * @param attempt Looks at what is buffered. Once the source has ended it may not ask for more.
   * @param wanted How many bytes must be buffered for the next call: one more than there are, if absent.
   * @param what What is read, for the error when it is too long: "a line".
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

  /** Reads as from a source, through the buffer: unless that is empty, and `buffer` is at least as large. */
  readInto(buffer: Uint8Array): Promise<number | null> {
    const view = viewOf(buffer);
    return this.#alone(async () => {
      if (this.size === 0) {
        if (this.ended) return null;
        if (view.length >= (this.#ours ? this.memory.length : this.#initialSize)) {
          const count = await readSome(this.source, view);
          this.consumed += count ?? 0;
          return this.#came(count);
        }
        if (this.#came(await this.#more(1)) === null) return null;
      }
      const length = lengthOf(buffer);
      if (length === 0) throw vanished("read");
      const size = Math.min(this.size, length);
      copyTo(buffer, this.memory.subarray(this.start, this.start + size), 0);
      this.consume(size);
      return size;
    });
  }

  /** What is buffered. Nothing can be read here any more. */
  handOver(): Uint8Array<ArrayBuffer> {
    const bytes = this.peek();
    this.#release();
    this.#over = true;
    return bytes;
  }

  /** Why no operation can begin, if none can. */
  problem(): Error | undefined {
    if (this.busy) return new BusyError("read", { flow: labelOf(this.source) });
    if (this.#over) return new TypeError("Cannot read: unread() has handed over what was buffered");
    return this.#isLost ? lost() : undefined;
  }

  /** Whether the memory of what is buffered has vanished, by a hand that it was lent to or came from. */
  get #isLost(): boolean {
    return this.end > this.memory.length && this.size > 0;
  }

  /** Lends as a source: what is buffered first, and then what the source lends. */
  lend(use: Borrower): Promise<number | null> {
    return this.#alone(async () => {
      let total = 0;
      for (let pieces = 0; pieces < readsPerYield; pieces++) {
        if (this.size === 0) {
          if (!this.ended && lends(this.source)) {
            this.#release();
            const rest = this.#came(await lendSome(this.source, (bytes, keep) => this.#counted(use, bytes, keep)));
            return rest === null ? total || null : total + rest;
          }
          if (this.ended || this.#came(await this.#more(1)) === null) return total || null;
        }
        const { size } = this; // now, for the borrower may pass the memory on
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

  /** Refuses an operation, or marks it as under way. */
  #begin(): Promise<never> | undefined {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (this.busy || this.#over || this.end > this.memory.length) {
      const problem = this.problem();
      if (problem !== undefined) return Promise.reject(problem);
      this.#release();
    }
    this.busy = true;
    return undefined;
  }

  #alone<T>(operation: () => Promise<T>): Promise<T> {
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

  /** No async function, whose frame an idle connection would keep. It may throw at once. */
  #retry<T>(attempt: () => T | typeof more, wanted: number | undefined, what: string | undefined): Promise<T> {
    const running = this.#more(wanted ?? this.size + 1, what).then((count) => {
      try {
        this.#came(count);
        const given = attempt();
        return given === more ? this.#retryOn(attempt, wanted, what) : this.#done(given);
      } catch (error) {
        throw this.#failed(error);
      }
    }, (error) => {
      throw this.#failed(error);
    });
    this.#running = running;
    return running;
  }

  async #retryOn<T>(
    attempt: () => T | typeof more,
    wanted: number | undefined,
    what: string | undefined,
  ): Promise<T> {
    try {
      for (let reads = 2;; reads++) {
        this.#came(await this.#more(wanted ?? this.size + 1, what));
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

  /** Records that the operation has failed. If it is not awaited, that is not an unhandled rejection. */
  #failed(error: unknown): unknown {
    if (isSilent(error)) this.#running?.catch(ignore);
    return this.#done(error);
  }

  #limitExceeded(what?: string): BufferLimitExceeded {
    return new BufferLimitExceeded(this.maxSize, { what, offset: this.consumed, flow: labelOf(this.source) });
  }

  /** Reads once, with room for `wanted` buffered bytes. No async function, whose frame an idle connection would keep; it may throw at once. */
  #more(wanted: number, what?: string): Promise<number | null> {
    if (wanted > this.maxSize) throw this.#limitExceeded(what);
    const source = this.source;
    return lends(source) ? this.#borrow(source, wanted) : this.#read(wanted);
  }

  #came(count: number | null): number | null {
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
      this.#use(this.memory.slice(this.start, this.end), 0, this.size, true); // in memory that is just large enough
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
   * Makes room for `wanted` buffered bytes in memory of our own: by moving what is buffered to the front, or by at least doubling.
   *
   * @param first What a first allocation is made for.
   */
  #makeRoom(wanted: number, first = this.#initialSize): void {
    const { size } = this;
    if (this.#ours && wanted <= this.memory.length) {
      if (size > 0 && this.start + wanted <= this.memory.length) return;
      this.memory.copyWithin(0, this.start, this.end);
      this.start = 0;
      this.end = size;
      return;
    }
    const current = this.#ours ? this.memory.length : first;
    const doubled = Math.min(this.maxSize, current * 2);
    const grown = new Uint8Array(!this.#ours && wanted <= first ? first : Math.max(wanted, doubled));
    grown.set(this.peek());
    this.#use(grown, 0, size, true);
  }

  /** Lets go of the memory, when nothing is buffered. */
  #release(): void {
    this.#use(nothing, 0, 0, false);
  }

  #use(memory: Uint8Array<ArrayBuffer>, start: number, end: number, ours: boolean): void {
    this.memory = memory;
    this.start = start;
    this.end = end;
    this.#ours = ours;
    this.#keep = false;
    this.#view = undefined;
  }

  /** Lends what passes by the buffer, and counts each piece. */
  #counted(use: Borrower, bytes: Uint8Array<ArrayBuffer>, keep: boolean): number | Promise<number> {
    const { length } = bytes; // now, for the borrower may pass the memory on
    const count = (taken: number) => (this.consumed += checkTaken(taken, length), taken);
    const answer = use(bytes, keep);
    return typeof answer === "number" ? count(answer) : Promise.resolve(answer).then(count);
  }
}
