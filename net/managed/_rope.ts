// Copyright 2026 the Sluice authors. MIT license.

import { copyTo, lengthOf, unshared, viewOf, writeLimit } from "../../flow/internal.ts";

/** The size of a chunk that is begun for a few bytes. */
const leastChunk = 512;

/** How many empty places at the start of the list are worth moving the rest. */
const mostEmptyPlaces = 32;

/**
 * A queue of bytes, in chunks that it owns: at most as large as one write, so that small pieces are
 * sent together. Appending and taking cost time proportional to their own size.
 */
export class Rope {
  /** The chunks. The places before `#first` are empty. */
  #chunks: (Uint8Array<ArrayBuffer> | undefined)[] = [];
  #first = 0;
  /** How many bytes of the first chunk were taken. */
  #start = 0;
  /** How many bytes of the last chunk are filled. */
  #end = 0;
  #length = 0;

  /** The number of bytes. */
  get length(): number {
    return this.#length;
  }

  /** Appends a copy of `bytes`. */
  push(bytes: Uint8Array): void {
    const view = unshared(viewOf(bytes));
    for (let at = 0; at < view.length;) {
      const chunk = this.#tail(view.length - at);
      const piece = view.subarray(at, at + chunk.length - this.#end);
      chunk.set(piece, this.#end);
      this.#end += piece.length;
      this.#length += piece.length;
      at += piece.length;
    }
  }

  /** Returns the last chunk, which has space, for `size` more bytes. */
  #tail(size: number): Uint8Array<ArrayBuffer> {
    const last = this.#chunks[this.#chunks.length - 1];
    if (last !== undefined && this.#end < last.length) return last;
    const chunk = new Uint8Array(Math.min(writeLimit, Math.max(leastChunk, size, this.#length)));
    this.#chunks.push(chunk);
    this.#end = 0;
    return chunk;
  }

  /** Copies `size` bytes, which it has, from `offset`. */
  copy(offset: number, size: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(size);
    let skip = this.#start + offset;
    for (let place = this.#first, at = 0; at < size; place++) {
      const chunk = this.#chunks[place] as Uint8Array<ArrayBuffer>;
      if (skip < chunk.length) {
        const piece = chunk.subarray(skip, skip + size - at);
        copyTo(bytes, piece, at);
        at += lengthOf(piece);
      }
      skip = Math.max(0, skip - chunk.length);
    }
    return bytes;
  }

  /** Removes `size` bytes, which it has, and returns them. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const bytes = this.copy(0, size);
    this.drop(size);
    return bytes;
  }

  /** Removes `size` bytes, which it has. */
  drop(size: number): void {
    this.#length -= size;
    if (this.#length === 0) return this.clear();
    this.#start += size;
    for (;;) {
      const { length } = this.#chunks[this.#first] as Uint8Array<ArrayBuffer>;
      if (this.#start < length) break;
      this.#start -= length;
      this.#chunks[this.#first++] = undefined;
    }
    if (this.#first > mostEmptyPlaces && this.#first * 2 > this.#chunks.length) {
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Removes everything. */
  clear(): void {
    this.#chunks = [];
    this.#first =
      this.#start =
      this.#end =
      this.#length =
        0;
  }

  /** Removes the first chunk, and returns its bytes, whose memory is no longer used here. */
  shift(): Uint8Array<ArrayBuffer> {
    const chunk = this.#chunks[this.#first] as Uint8Array<ArrayBuffer>;
    const isLast = this.#first === this.#chunks.length - 1;
    const bytes = chunk.subarray(this.#start, isLast ? this.#end : chunk.length);
    this.drop(bytes.length);
    return bytes;
  }
}
