// Copyright 2026 the Sluice authors. MIT license.

/** The least memory, in bytes, that a small write allocates, so that the next ones find room. */
export const leastMemory = 1024;

/** What is left of bytes whose memory a borrower has detached. */
const detached: Uint8Array<ArrayBuffer> = new Uint8Array(0);

interface Chunk {
  readonly memory: Uint8Array<ArrayBuffer>;
  start: number;
  end: number;
}

/** A FIFO of bytes that were written at one end of a stream, and not yet read at the other. */
export class ByteQueue {
  /** The most that it holds, in bytes. */
  readonly capacity: number;
  /** In order; the last one may have free space. */
  readonly #chunks: Chunk[] = [];
  #size = 0;
  /** Full, until it drains below half (hysteresis). */
  #full = false;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** How many bytes it holds. */
  get size(): number {
    return this.#size;
  }

  /** Returns the oldest contiguous bytes. */
  peek(): Uint8Array<ArrayBuffer> | undefined {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return undefined;
    return chunk.memory.length < chunk.end ? detached : chunk.memory.subarray(chunk.start, chunk.end);
  }

  /** Removes the first `size` bytes of what `peek` returned. */
  consume(size: number): void {
    const chunk = this.#chunks[0];
    chunk.start += size;
    this.#size -= size;
    if (chunk.start === chunk.end) this.#chunks.shift();
  }

  /** Removes all bytes. */
  clear(): void {
    this.#chunks.length = 0;
    this.#size = 0;
  }

  /**
   * Returns how many of `wanted` bytes fit now. Once the queue was full, that is 0 until half of it
   * is free or all of them fit (hysteresis), so that a reader of small amounts does not fragment
   * the stream.
   */
  room(wanted: number): number {
    const free = this.capacity - this.#size;
    if (free >= this.capacity / 2) this.#full = false;
    return this.#full && free < wanted ? 0 : Math.min(wanted, free);
  }

  /** Appends a copy of `bytes`, which must fit. */
  add(bytes: Uint8Array): void {
    const last = this.#chunks[this.#chunks.length - 1];
    if (last !== undefined && last.memory.length - last.end >= bytes.length) {
      last.memory.set(bytes, last.end);
      last.end += bytes.length;
    } else {
      const memory = new Uint8Array(Math.max(bytes.length, Math.min(leastMemory, this.capacity)));
      memory.set(bytes);
      this.#chunks.push({ memory, start: 0, end: bytes.length });
    }
    this.#added(bytes.length);
  }

  /** Appends `bytes`, which must fit, in their own memory. */
  keep(bytes: Uint8Array<ArrayBuffer>): void {
    this.#chunks.push({ memory: bytes, start: 0, end: bytes.length });
    this.#added(bytes.length);
  }

  #added(size: number): void {
    this.#size += size;
    this.#full ||= this.#size === this.capacity;
  }
}
