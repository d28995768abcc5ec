// Copyright 2026 the Sluice authors. MIT license.

import { macrotask } from "../../../switch/internal.ts";

/** The most writes, datagrams and connections in one turn of the event loop. */
const maxPerTurn = 1024;

/** An operation that waits for the next turn. */
export interface Deferred {
  /** Called in the next turn, or as soon as the operation may succeed. */
  tryAgain(): void;
}

/**
 * Limits the work per turn of the event loop. Memory never waits for a system, so two ends that
 * keep each other busy would run in microtasks forever, and starve the timers of the process.
 */
export class Turn {
  #count = 0;
  #waiting: Set<Deferred> = new Set();

  /** Reports whether one more operation may run now. If not, it is tried again in the next turn. */
  admits(deferred: Deferred): boolean {
    if (this.#count === 0) macrotask(() => this.#next());
    if (this.#count < maxPerTurn) {
      this.#count++;
      return true;
    }
    this.#waiting.add(deferred);
    return false;
  }

  #next(): void {
    const waiting = this.#waiting;
    this.#count = 0;
    this.#waiting = new Set();
    for (const deferred of waiting) deferred.tryAgain();
  }
}
