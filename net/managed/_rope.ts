// Copyright 2026 the Sluice authors. MIT license.

import { type Linked, List } from "../../base/internal.ts";
import { copyTo, lengthOf, unshared, viewOf, writeLimit } from "../../flow/internal.ts";

/** The size of a chunk that is begun for a few bytes. */
const leastChunk = 512;

/** Memory that is filled from `start` to `end`. */
class Chunk implements Linked<Chunk> {
  newer: Chunk | undefined = undefined;
  older: Chunk | undefined = undefined;
  readonly memory: Uint8Array<ArrayBuffer>;
  start = 0;
  end = 0;

  constructor(size: number) {
    this.memory = new Uint8Array(size);
  }
}

/**
 * A queue of bytes, in chunks that it owns: at most as large as one write, so that small pieces are
 * sent together. Appending and taking cost time proportional to their own size.
 */
export class Rope {
  readonly #chunks: List<Chunk> = new List();
  #length = 0;

  /** The number of bytes. */
  get length(): number {
    return this.#length;
  }

  /** Appends a copy of `bytes`. */
  push(bytes: Uint8Array): void {
    const view = unshared(viewOf(bytes));
    for (let at = 0; at < view.length;) {
      let chunk = this.#chunks.newest;
      if (chunk === undefined || chunk.end === chunk.memory.length) {
        chunk = new Chunk(Math.min(writeLimit, Math.max(leastChunk, view.length - at, this.#length)));
        this.#chunks.add(chunk);
      }
      const piece = view.subarray(at, at + chunk.memory.length - chunk.end);
      chunk.memory.set(piece, chunk.end);
      chunk.end += piece.length;
      this.#length += piece.length;
      at += piece.length;
    }
  }

  /** Copies `size` bytes, which it has, from `offset`. */
  copy(offset: number, size: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(size);
    let skip = offset;
    let at = 0;
    for (let chunk = this.#chunks.oldest; chunk !== undefined && at < size; chunk = chunk.newer) {
      const start = chunk.start + skip;
      if (start < chunk.end) {
        const piece = chunk.memory.subarray(start, Math.min(chunk.end, start + size - at));
        copyTo(bytes, piece, at);
        at += lengthOf(piece);
      }
      skip = Math.max(0, start - chunk.end);
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
    let left = size;
    for (let chunk = this.#chunks.oldest; chunk !== undefined; chunk = this.#chunks.oldest) {
      chunk.start += left;
      left = chunk.start - chunk.end;
      if (left < 0) return;
      this.#chunks.remove(chunk);
    }
  }

  /** Removes everything. */
  clear(): void {
    this.drop(this.#length);
  }

  /** Removes the first chunk, and returns its bytes. Their memory belongs to the caller. */
  shift(): Uint8Array<ArrayBuffer> {
    const { memory, start, end } = this.#chunks.oldest as Chunk;
    const bytes = memory.subarray(start, end);
    this.drop(bytes.length);
    return bytes;
  }
}
