// Copyright 2026 the Sluice authors. MIT license.

import { ByteQueue } from "../../../../base/internal.ts";

/** How many bytes may have arrived without being read. */
export const receiveCapacity: number = 64 * 1024;

/** A piece of a stream as it arrives. */
export interface TcpPiece {
  /** The position of its first byte. */
  readonly seq: number;
  /** Its memory is never written to. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Whether the stream ends after it. */
  readonly fin: boolean;
}

const none: readonly number[] = [];

/** The receiving half of a TCP connection: puts what arrives in order, without gaps and doubles. */
export class Receiver {
  /** What has arrived in order, and is not read. */
  readonly arrived: ByteQueue = new ByteQueue(receiveCapacity);
  /** The position of the next byte in order; the end counts as one. */
  expected = 0;
  /** Whether the end has arrived in order. */
  ended = false;
  /** Whether what arrives is discarded. */
  discards = false;
  /** The last position that the sender may use, as it was told. */
  #edge: number = receiveCapacity;
  /** Pieces beyond a gap, by position. */
  readonly #early: TcpPiece[] = [];

  /** How many bytes may still arrive. */
  get window(): number {
    return Math.max(0, receiveCapacity - this.arrived.size);
  }

  /** The positions of the pieces beyond a gap, in order (RFC 2018). */
  get early(): readonly number[] {
    return this.#early.length === 0 ? none : this.#early.map(({ seq }) => seq);
  }

  /** Notes that the sender is told the window now. */
  told(): number {
    this.#edge = this.expected + this.window;
    return this.window;
  }

  /** Whether the window has grown so much that the sender must be told. */
  get mustTell(): boolean {
    return this.expected + this.window - this.#edge >= receiveCapacity / 2;
  }

  /**
   * Takes a piece.
   *
   * @returns Whether something is new in order: `"early"` if it is beyond a gap.
   */
  take(piece: TcpPiece): "new" | "old" | "early" {
    const end = endOf(piece);
    if (end <= this.expected || this.ended) return "old";
    if (piece.seq + piece.data.length > this.expected + this.window) return "old"; // no room
    if (piece.seq > this.expected) {
      this.#keep(piece);
      return "early";
    }
    this.#append(piece);
    for (let next = this.#early[0]; next !== undefined && next.seq <= this.expected; next = this.#early[0]) {
      this.#early.shift();
      if (endOf(next) > this.expected) this.#append(next);
    }
    return "new";
  }

  /** Discards what has arrived, and what will. */
  discard(): void {
    this.discards = true;
    this.arrived.clear();
  }

  #append(piece: TcpPiece): void {
    const data = piece.data.subarray(this.expected - piece.seq);
    if (data.length > 0 && !this.discards) this.arrived.add(data);
    this.expected = endOf(piece);
    this.ended = piece.fin;
  }

  #keep(piece: TcpPiece): void {
    const index = this.#early.findIndex(({ seq }) => seq >= piece.seq);
    if (index < 0) this.#early.push(piece);
    else if (this.#early[index].seq === piece.seq && endOf(this.#early[index]) >= endOf(piece)) return;
    else this.#early.splice(index, 0, piece);
  }
}

function endOf({ seq, data, fin }: TcpPiece): number {
  return seq + data.length + (fin ? 1 : 0);
}
