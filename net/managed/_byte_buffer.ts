// Copyright 2026 the Sluice authors. MIT license.

/**
 * A FIFO of bytes in memory of its own: none while it is empty, and at most four times what it
 * holds. Appending and removing cost time proportional to their own size, on average.
 */
export class ByteBuffer {
  #memory: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #start = 0;
  #end = 0;

  /** The number of bytes. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Appends a copy of `bytes`, a plain view. */
  push(bytes: Uint8Array): void {
    const { length } = bytes;
    if (this.#end + length > this.#memory.length) this.#move(2 * this.length + length);
    this.#memory.set(bytes, this.#end);
    this.#end += length;
  }

  /** Returns a copy of up to `size` bytes, from `offset`. */
  slice(offset: number, size: number): Uint8Array<ArrayBuffer> {
    const start = this.#start + offset;
    return this.#memory.slice(start, Math.min(start + size, this.#end));
  }

  /** Removes up to `size` bytes, and returns them. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const bytes = this.slice(0, size);
    this.drop(bytes.length);
    return bytes;
  }

  /** Removes the first `size` bytes, which it has. */
  drop(size: number): void {
    this.#start += size;
    if (4 * this.length < this.#memory.length) this.#move(2 * this.length);
  }

  /** Moves the bytes to memory of `size` bytes. */
  #move(size: number): void {
    const memory = new Uint8Array(size);
    memory.set(this.#memory.subarray(this.#start, this.#end));
    this.#memory = memory;
    this.#end = this.length;
    this.#start = 0;
  }
}
