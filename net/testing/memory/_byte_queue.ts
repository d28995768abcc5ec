// Copyright 2026 the Sluice authors. MIT license.

/** How many bytes a queue holds before its writer waits. */
const capacity = 64 * 1024;

/** What a small write allocates at least, in bytes, so that the next ones find room. */
const smallestPiece = 1024;

/** What is there of bytes whose memory a borrower has detached. */
const nothing: Uint8Array<ArrayBuffer> = new Uint8Array(0);

interface Piece {
  readonly memory: Uint8Array<ArrayBuffer>;
  start: number;
  end: number;
}

/** The bytes that have arrived at one end of a stream and are not read yet: at most 64 KiB. */
export class ByteQueue {
  /** In order; the last one may have room after what it holds. */
  readonly #pieces: Piece[] = [];
  #size = 0;
  /** Whether the queue was filled, and half of it has not been free since then. */
  #full = false;

  /** How many bytes it holds. */
  get size(): number {
    return this.#size;
  }

  /** The oldest bytes, as far as they lie in one piece. */
  peek(): Uint8Array<ArrayBuffer> | undefined {
    const piece = this.#pieces[0];
    if (piece === undefined) return undefined;
    return piece.memory.length < piece.end ? nothing : piece.memory.subarray(piece.start, piece.end);
  }

  /** Drops the first `size` bytes of what `peek` returned. */
  consume(size: number): void {
    const piece = this.#pieces[0];
    piece.start += size;
    this.#size -= size;
    if (piece.start === piece.end) this.#pieces.shift();
  }

  /** Drops everything. */
  clear(): void {
    this.#pieces.length = 0;
    this.#size = 0;
  }

  /**
   * How many of `wanted` bytes it takes now. Once it was filled, that is 0 until half of it is free
   * or all of them fit: a reader of small parts does not break everything into as small pieces.
   */
  room(wanted: number): number {
    const free = capacity - this.#size;
    if (free >= capacity / 2) this.#full = false;
    return this.#full && free < wanted ? 0 : Math.min(wanted, free);
  }

  /** Copies bytes for which there is room. */
  add(bytes: Uint8Array): void {
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.memory.length - last.end >= bytes.length) {
      last.memory.set(bytes, last.end);
      last.end += bytes.length;
    } else {
      const memory = new Uint8Array(Math.max(bytes.length, smallestPiece));
      memory.set(bytes);
      this.#pieces.push({ memory, start: 0, end: bytes.length });
    }
    this.#size += bytes.length;
    this.#full ||= this.#size === capacity;
  }
}
