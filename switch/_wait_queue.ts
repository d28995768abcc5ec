// Copyright 2026 the Sluice authors. MIT license.

import { Waiter } from "./_scope.ts";
import type { Cancelled } from "./errors.ts";
import type { Labelled } from "./release_hooks.ts";

/** An operation in a {@linkcode WaitQueue}. */
export interface Queued<T, P> {
  readonly waiter: Waiter<T>;
  /** What the code that wakes the operation needs of it. */
  readonly payload: P;
}

/**
 * Operations that wait for their turn, first come, first served. One that is cancelled leaves the
 * queue, so that what would have woken it wakes the next one. Begin one only where `refused`
 * returned nothing.
 */
export class WaitQueue<T, P = undefined> {
  readonly #waiting: Map<Waiter<T>, P> = new Map();
  readonly #left: ((payload: P) => void) | undefined;

  /** `left` is called with the payload of an operation that is cancelled or failed. */
  constructor(left?: (payload: P) => void) {
    this.#left = left;
  }

  /**
   * Adds an operation, with what the code that wakes it needs of it.
   *
   * @param subject What it waits on, for dumps.
   */
  wait(operation: string, payload: P, subject?: Labelled): Promise<T> {
    return this.add(operation, payload, subject).promise;
  }

  /** Adds an operation, and returns its waiter, with which it can be failed or removed alone. */
  add(operation: string, payload: P, subject?: Labelled): Waiter<T> {
    const waiter = new Waiter<T>(operation, this.#cancel, subject);
    this.#waiting.set(waiter, payload);
    return waiter;
  }

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#waiting.size === 0;
  }

  /** The operation that has waited longest; undefined if nothing waits. */
  get oldest(): Queued<T, P> | undefined {
    for (const [waiter, payload] of this.#waiting) return { waiter, payload };
    return undefined;
  }

  /**
   * Wakes the operation that has waited longest, and returns its payload; undefined if nothing
   * waits.
   */
  wakeOne(value: T): { readonly payload: P } | undefined {
    const next = this.oldest;
    if (next === undefined) return undefined;
    this.#waiting.delete(next.waiter);
    next.waiter.resolve(value);
    return next;
  }

  /** Wakes every operation that waits now. */
  wakeAll(value: T): void {
    const waiters = [...this.#waiting.keys()];
    this.#waiting.clear();
    for (const waiter of waiters) waiter.resolve(value);
  }

  /**
   * Fails an operation because this side has closed what it waits on: if nothing awaits the
   * operation, that is not an unhandled rejection. Does nothing if it is not in the queue.
   */
  fail(waiter: Waiter<T>, make: () => unknown): void {
    if (this.#leave(waiter)) waiter.failClosed(make);
  }

  /** Fails every operation that waits now, like {@linkcode WaitQueue.fail}. */
  failAll(make: () => unknown): void {
    for (const waiter of [...this.#waiting.keys()]) this.fail(waiter, make);
  }

  /**
   * Takes an operation out of the queue without settling it, and returns whether it was there.
   * Cancelling does not settle it any more: the caller must.
   */
  remove(waiter: Waiter<T>): boolean {
    return this.#waiting.delete(waiter);
  }

  readonly #cancel = (waiter: Waiter<T>, reason: Cancelled): void => {
    if (this.#leave(waiter)) waiter.reject(reason);
  };

  #leave(waiter: Waiter<T>): boolean {
    const payload = this.#waiting.get(waiter) as P;
    if (!this.#waiting.delete(waiter)) return false;
    this.#left?.(payload);
    return true;
  }
}
