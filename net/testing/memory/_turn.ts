// Copyright 2026 the Sluice authors. MIT license.

import { macrotask } from "../../../switch/internal.ts";

/** How many writes, datagrams and connections one turn of the event loop may bring. */
const perTurn = 1024;

/** What waits for the next turn. */
export interface Later {
  /** The next turn has come. */
  again(): void;
}

/**
 * The current turn of the event loop. What is in memory never waits for a system, so that two ends
 * that keep each other busy would run in microtasks for ever, and no timer of the process would run.
 */
export class Turn {
  #count = 0;
  #waiting: Set<Later> = new Set();

  /** Whether one thing more may be done in this turn. If not, `later` is told when the next one has come. */
  admits(later: Later): boolean {
    if (this.#count === 0) macrotask(() => this.#next());
    if (this.#count < perTurn) {
      this.#count++;
      return true;
    }
    this.#waiting.add(later);
    return false;
  }

  #next(): void {
    const waiting = this.#waiting;
    this.#count = 0;
    this.#waiting = new Set();
    for (const later of waiting) later.again();
  }
}
