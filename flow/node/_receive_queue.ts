// Copyright 2026 the Sluice authors. MIT license.

import { startTimer } from "../../switch/internal.ts";
import { totalLength } from "../internal.ts";

/** How many unread bytes pause the stream. One chunk of a runtime may have half a MiB. */
const byteLimit = 64 * 1024;

/**
 * How many unread pieces pause it, because each costs memory beside its bytes: a peer that sends
 * single bytes must not cost a hundred times what it sends.
 */
const pieceLimit = 128;

/**
 * How many turns without input count as quiet. The first may pass before the runtime polls for
 * input.
 */
const quietTurns = 2;
const mostTurns = 50;

/** A bounded queue of received, unread input. */
export class ReceiveQueue {
  /** The first piece. It is kept apart from the others, because there are seldom any. */
  #first: Uint8Array<ArrayBuffer> | undefined;
  #later: Uint8Array<ArrayBuffer>[] | undefined;
  #size = 0;

  /** The oldest piece. */
  get first(): Uint8Array<ArrayBuffer> | undefined {
    return this.#first;
  }

  /** Whether the stream must be paused. */
  get full(): boolean {
    return this.#holds(byteLimit, pieceLimit);
  }

  /** Whether a paused stream may resume: below half of both limits (hysteresis). */
  get low(): boolean {
    return !this.#holds(byteLimit / 2, pieceLimit / 2);
  }

  /** Adds a received piece. */
  add(piece: Uint8Array<ArrayBuffer>): void {
    if (this.#first === undefined) this.#first = piece;
    else (this.#later ??= []).push(piece);
    this.#size += piece.length;
  }

  /** Consumes `size` bytes of the first piece, and reports whether a piece is left. */
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

  /** The size of the first piece, even if a borrower has transferred its memory since. */
  get #firstSize(): number {
    return this.#size - totalLength(this.#later ?? []);
  }

  #holds(bytes: number, pieces: number): boolean {
    return this.#size >= bytes || (this.#later !== undefined && this.#later.length + 1 >= pieces);
  }
}

/**
 * Waits until what the system has received is read, as far as can be told: until a few turns in a
 * row have brought nothing, or too many turns have passed. Closing a socket with unread input
 * resets the connection, and the peer may lose what it was sent before.
 *
 * @param received Returns how many bytes have come so far; `undefined` once no more will.
 */
export async function awaitQuietInput(received: () => number | undefined): Promise<void> {
  let before = received();
  for (let turn = 0, quiet = 0; turn < mostTurns && quiet < quietTurns && before !== undefined; turn++) {
    // on Deno and Bun a turn without a delay ends before they poll for input
    await new Promise<void>((resolve) => startTimer(1, resolve));
    const now = received();
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
}
