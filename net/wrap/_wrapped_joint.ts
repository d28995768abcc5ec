// Copyright 2026 the Sluice authors. MIT license.

import { type Joint, lengthOf, type LoanTerms, noted, type Outlet, viewOf } from "../../flow/internal.ts";
import type { Transfers } from "./_transfers.ts";

/**
 * Connects a wrapped flow of the library to another one: as the joint inside, through the hooks.
 */
export class WrappedJoint implements Joint {
  readonly #inner: Joint;
  readonly #transfers: Transfers;
  /** Whether the hooks only count: then nothing else is done for each piece. */
  readonly #onlyCounts: boolean;

  constructor(inner: Joint, transfers: Transfers) {
    this.#inner = inner;
    this.#transfers = transfers;
    this.#onlyCounts = transfers.onlyCounts;
  }

  lendTo(outlet: Outlet, note: (taken: number) => number): Promise<number | null> {
    if (this.#onlyCounts) {
      return this.#transfers.noteEnd(this.#inner.lendTo(outlet, (taken) => note(this.#transfers.noteRead(taken))));
    }
    const use = (bytes: Uint8Array<ArrayBuffer>, terms: LoanTerms) => noted(outlet.take(bytes, terms), note);
    return this.#transfers.refuse("read") ??
      this.#transfers.lend(use, (take) => this.#inner.lendTo({ take }, (taken) => taken));
  }

  take(bytes: Uint8Array<ArrayBuffer>, terms: LoanTerms): number | Promise<number> {
    if (this.#onlyCounts) return this.#transfers.noteTaken(this.#inner.take(bytes, terms));
    this.#transfers.checkIn(terms.scope, "write");
    const size = lengthOf(bytes);
    return this.#transfers.write(size, (most) => this.#inner.take(most < size ? viewOf(bytes, most) : bytes, terms));
  }

  giveOwned(bytes: Uint8Array): number | Promise<number> {
    const size = lengthOf(bytes);
    const move = (most: number) => this.#inner.giveOwned(most < size ? viewOf(bytes, most) : bytes);
    return this.#transfers.refuse("write") ?? this.#transfers.write(size, move);
  }

  get bytesIn(): number {
    return this.#inner.bytesIn;
  }

  get bytesOut(): number {
    return this.#inner.bytesOut;
  }

  get input(): Uint8Array | null | undefined {
    return this.#inner.input;
  }

  get unsent(): number {
    return this.#inner.unsent;
  }

  onGone(callback: () => void): () => void {
    return this.#inner.onGone(callback);
  }
}
