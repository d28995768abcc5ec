// Copyright 2026 the Sluice authors. MIT license.

import { Waiter } from "./_scope.ts";
import type { Cancelled } from "./errors.ts";

/**
 * Operations that wait for their turn, first come, first served. One that is cancelled leaves the
 * queue, so that what would have woken it wakes the next one. Begin one only where `refused`
 * returned nothing.
 */
export class WaitQueue<T, P = undefined> {
  readonly #waiting: Map<Waiter<T>, P> = new Map();

  /** Adds an operation, with what the one that wakes it needs of it. */
  wait(operation: string, payload: P): Promise<T> {
    const waiter = new Waiter<T>(operation, this.#leave);
    this.#waiting.set(waiter, payload);
    return waiter.promise;
  }

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#waiting.size === 0;
  }

  /**
   * Wakes the operation that has waited longest, and returns its payload; undefined if nothing
   * waits.
   */
  wakeOne(value: T): { readonly payload: P } | undefined {
    for (const [waiter, payload] of this.#waiting) {
      this.#waiting.delete(waiter);
      waiter.resolve(value);
      return { payload };
    }
    return undefined;
  }

  /** Wakes every operation that waits now. */
  wakeAll(value: T): void {
    const waiters = [...this.#waiting.keys()];
    this.#waiting.clear();
    for (const waiter of waiters) waiter.resolve(value);
  }

  readonly #leave = (waiter: Waiter<T>, reason: Cancelled): void => {
    this.#waiting.delete(waiter);
    waiter.reject(reason);
  };
}
