// Copyright 2026 the Sluice authors. MIT license.

import { checkWhole, freezeClass } from "../base/internal.ts";
import { refused } from "./_scope.ts";
import { WaitQueue } from "./_waiter.ts";

/**
 * A permit of a {@linkcode Semaphore}. A `using` declaration releases it at the end of its block.
 */
export interface Permit extends Disposable {
  /** Releases the permit. A second call does nothing. */
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
   * Creates a semaphore.
   *
   * @param permits The number of permits: an integer >= 0.
   * @throws {RangeError} If `permits` is anything else.
   */
  constructor(permits: number) {
    checkWhole("make a semaphore", "permits", permits, 0);
    this.#permits = permits;
    Object.freeze(this);
  }

  /**
   * The total number of permits, held or not.
   *
   * @returns The number passed to the constructor, or to {@linkcode Semaphore.resize} since.
   */
  get permits(): number {
    return this.#permits;
  }

  /**
   * The number of permits that can be acquired now.
   *
   * @returns A number of at least 0.
   */
  get available(): number {
    return Math.max(0, this.#permits - this.#held);
  }

  /**
   * Acquires a permit. Waits for one, in FIFO order, if none is available. A call that is cancelled
   * while it waits leaves the queue, and the next one receives the permit.
   *
   * @returns The permit.
   * @throws {Cancelled} If the current scope is cancelled first.
   */
  acquire(): Promise<Permit> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    const permit = this.tryAcquire();
    return permit === null ? this.#waiting.wait("acquire", undefined) : Promise.resolve(permit);
  }

  /**
   * Acquires a permit without waiting.
   *
   * @returns The permit, or null if none is available.
   */
  tryAcquire(): Permit | null {
    return this.#held < this.#permits ? this.#take() : null;
  }

  /**
   * Changes the number of permits at once. Added permits wake calls that wait for one. Permits that
   * are held stay valid: if there are too many, none is available until enough are released.
   *
   * @param permits The new number of permits: an integer >= 0.
   * @throws {RangeError} If `permits` is anything else.
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
