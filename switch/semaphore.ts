// Copyright 2026 the Sluice authors. MIT license.

import { checkWhole } from "./check.ts";
import { refused, Waiter } from "./scope.ts";

/** A place that {@linkcode Semaphore.acquire} gave. It is free again after `release`, or at the end of a `using` declaration. */
export interface Permit extends Disposable {
  /** Gives the place back. The second call does nothing. */
  release(): void;
}

/**
 * So many places, handed out first come, first served.
 *
 * Source: Eio's `Semaphore`.
 *
 * @example Two places
 * ```ts
 * import { Semaphore } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const places = new Semaphore(2);
 * const permit = await places.acquire();
 * assertEquals(places.available, 1);
 * permit.release();
 * ```
 */
export class Semaphore {
  static {
    Object.freeze(this.prototype);
    Object.freeze(this);
  }

  #available: number;
  #queue: Set<Waiter<Permit>> = new Set();

  /**
   * Makes a semaphore.
   *
   * @param permits How many places there are: a whole number of at least 0.
   * @throws {RangeError} When `permits` is anything else.
   */
  constructor(permits: number) {
    checkWhole("make a semaphore", "permits", permits, 0);
    this.#available = permits;
  }

  /** How many places are free. */
  get available(): number {
    return this.#available;
  }

  /**
   * Takes a place, and waits for one where none is free. Who is cancelled while waiting leaves the queue; the place goes to the next.
   *
   * @returns The place.
   * @throws {Cancelled} When the current scope is cancelled first.
   */
  acquire(): Promise<Permit> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    const permit = this.tryAcquire();
    if (permit !== null) return Promise.resolve(permit);
    const waiter: Waiter<Permit> = new Waiter("acquire", (_, reason) => {
      this.#queue.delete(waiter);
      waiter.reject(reason);
    });
    this.#queue.add(waiter);
    return waiter.promise;
  }

  /**
   * Takes a place if one is free.
   *
   * @returns The place, or null.
   */
  tryAcquire(): Permit | null {
    if (this.#available === 0) return null;
    this.#available--;
    return this.#permit();
  }

  #permit(): Permit {
    let held = true;
    const release = () => {
      if (held) this.#passOn();
      held = false;
    };
    return { release, [Symbol.dispose]: release };
  }

  #passOn(): void {
    const [next] = this.#queue;
    if (next === undefined) {
      this.#available++;
    } else {
      this.#queue.delete(next);
      next.resolve(this.#permit());
    }
  }
}
