// Copyright 2026 the Sluice authors. MIT license.

import { checkWhole, freezeClass } from "../base/internal.ts";
import { refused } from "./_scope.ts";
import { WaitQueue } from "./_wait_queue.ts";

/**
 * A permit of a {@linkcode Semaphore}. It is given back by `release`, or at the end of a `using`
 * declaration.
 */
export interface Permit extends Disposable {
  /** Gives the permit back. The second call does nothing. */
  release(): void;
}

/**
 * A counting semaphore with FIFO fairness.
 *
 * Source: Eio's `Semaphore`.
 *
 * @example Two permits
 * ```ts
 * import { Semaphore } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const semaphore = new Semaphore(2);
 * const permit = await semaphore.acquire();
 * assertEquals(semaphore.available, 1);
 * permit.release();
 * ```
 */
export class Semaphore {
  static {
    freezeClass(this);
  }

  #permits: number;
  #held = 0;
  readonly #waiting: WaitQueue<Permit> = new WaitQueue();

  /**
   * Makes a semaphore.
   *
   * @param permits How many permits there are: a whole number of at least 0.
   * @throws {RangeError} When `permits` is anything else.
   */
  constructor(permits: number) {
    checkWhole("make a semaphore", "permits", permits, 0);
    this.#permits = permits;
    Object.freeze(this);
  }

  /**
   * How many permits there are, held or not.
   *
   * @returns The number given to the constructor, or to {@linkcode Semaphore.resize} since.
   */
  get permits(): number {
    return this.#permits;
  }

  /**
   * How many permits can be taken now.
   *
   * @returns A number of at least 0.
   */
  get available(): number {
    return Math.max(0, this.#permits - this.#held);
  }

  /**
   * Takes a permit, and waits for one if none is available. A call that is cancelled while it waits
   * leaves the queue, and the permit goes to the next one.
   *
   * @returns The permit.
   * @throws {Cancelled} When the current scope is cancelled first.
   */
  acquire(): Promise<Permit> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    const permit = this.tryAcquire();
    return permit === null ? this.#waiting.wait("acquire", undefined) : Promise.resolve(permit);
  }

  /**
   * Takes a permit if one is available.
   *
   * @returns The permit, or null.
   */
  tryAcquire(): Permit | null {
    return this.#held < this.#permits ? this.#take() : null;
  }

  /**
   * Changes how many permits there are, at once. More permits wake calls that wait for one. Fewer
   * take none away from their holders: none is available until enough have been given back.
   *
   * @param permits How many permits there are from now on: a whole number of at least 0.
   * @throws {RangeError} When `permits` is anything else.
   *
   * @example Growing and shrinking
   * ```ts
   * import { Semaphore } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const semaphore = new Semaphore(1);
   * const permit = await semaphore.acquire();
   * semaphore.resize(3);
   * assertEquals(semaphore.available, 2);
   * semaphore.resize(1);
   * assertEquals(semaphore.available, 0);
   * permit.release();
   * assertEquals(semaphore.available, 1);
   * ```
   */
  resize(permits: number): void {
    checkWhole("resize a semaphore", "permits", permits, 0);
    this.#permits = permits;
    this.#wake();
  }

  #take(): Permit {
    this.#held++;
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      this.#held--;
      this.#wake();
    };
    return Object.freeze({ release, [Symbol.dispose]: release });
  }

  #wake(): void {
    while (this.#held < this.#permits && !this.#waiting.empty) this.#waiting.wakeOne(this.#take());
  }
}
