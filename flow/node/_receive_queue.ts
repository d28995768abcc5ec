// Copyright 2026 the Sluice authors. MIT license.

import { startTimer } from "../../switch/internal.ts";
import { totalLength } from "../internal.ts";

/** How many unread bytes are kept before a stream is paused. One chunk of a runtime may have half a MiB. */
const byteLimit = 64 * 1024;

/** And how many pieces, for each costs memory beside its bytes: a peer that sends single bytes must not cost a hundred times what it sends. */
const pieceLimit = 128;

/** When what has arrived counts as read. The first turn may be over before any input is looked for. */
const quietTurns = 2;
const mostTurns = 50;

/** Input that has arrived and was not read. */
export class ReceiveQueue {
  /** The first piece; and the others, for most often there are none. */
  #first: Uint8Array<ArrayBuffer> | undefined;
  #later: Uint8Array<ArrayBuffer>[] | undefined;
  #size = 0;

  /** What came first. */
  get first(): Uint8Array<ArrayBuffer> | undefined {
    return this.#first;
  }

  /** Whether so much is here that the stream is to be paused. */
  get full(): boolean {
    return this.#holds(byteLimit, pieceLimit);
  }

  /** Whether so little is here that a paused stream is to go on. */
  get low(): boolean {
    return !this.#holds(byteLimit / 2, pieceLimit / 2);
  }

  /** Adds what has arrived. */
  add(piece: Uint8Array<ArrayBuffer>): void {
    if (this.#first === undefined) this.#first = piece;
    else (this.#later ??= []).push(piece);
    this.#size += piece.length;
  }

  /** Drops so many bytes of the first piece. Whether there is more. */
  consume(size: number): boolean {
    const piece = this.#first as Uint8Array<ArrayBuffer>;
    if (size === piece.length || (piece.length === 0 && size === this.#firstSize)) this.#first = this.#later?.shift();
    else if (piece.length > 0) this.#first = piece.subarray(size);
    this.#size -= size;
    return this.#first !== undefined;
  }

  /** Drops everything. */
  clear(): void {
    this.#first = this.#later = undefined;
    this.#size = 0;
  }

  /** How large the first piece was before its memory vanished, which a borrower may have passed on. */
  get #firstSize(): number {
    return this.#size - totalLength(this.#later ?? []);
  }

  #holds(bytes: number, pieces: number): boolean {
    return this.#size >= bytes || (this.#later !== undefined && this.#later.length + 1 >= pieces);
  }
}

/**
 * Waits until what the system has received is read, as far as can be told: until some turns have brought nothing, or there were too many. For a socket that
 * is closed with unread input is reset, and the other side may lose what it was sent before.
 *
 * @param received How many bytes have come so far; `undefined` once no more will.
 */
export async function inputIsQuiet(received: () => number | undefined): Promise<void> {
  let before = received();
  for (let turn = 0, quiet = 0; turn < mostTurns && quiet < quietTurns && before !== undefined; turn++) {
    await new Promise<void>((resolve) => startTimer(1, resolve)); // a turn without time is over before any input is looked for, on Deno and Bun
    const now = received();
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
}
