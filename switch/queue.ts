// Copyright 2026 the Sluice authors. MIT license.

import { checkWhole, freezeClass } from "../base/internal.ts";
import { refused } from "./_scope.ts";
import { WaitQueue } from "./_wait_queue.ts";

/**
 * A bounded queue between fibers, first in, first out. A full queue makes {@linkcode Queue.push}
 * wait, and an empty one {@linkcode Queue.pop}; calls that wait are served in the order in which
 * they began to. A call that is cancelled has done nothing: no value is lost, and none is added.
 *
 * With a capacity of 0 it is a rendezvous: a push waits for the pop that takes its value.
 *
 * Source: Eio's `Stream`.
 *
 * @typeParam T A value.
 *
 * @example A producer and a consumer
 * ```ts
 * import { Queue, Switch } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const queue = new Queue<number>(1);
 * await Switch.run(async (sw) => {
 *   sw.fork(async () => {
 *     for (const n of [1, 2, 3]) await queue.push(n);
 *   });
 *   assertEquals([await queue.pop(), await queue.pop(), await queue.pop()], [1, 2, 3]);
 * });
 * ```
 */
export class Queue<T> {
  static {
    freezeClass(this);
  }

  readonly #capacity: number;
  /**
   * The values that are in the queue, after those that were taken: a shift of a long array is slow.
   */
  #values: (T | undefined)[] = [];
  #taken = 0;
  /** Nothing waits to pop while there are values, or pushes that wait. */
  readonly #pops: WaitQueue<T> = new WaitQueue();
  /** Nothing waits to push while there is room. */
  readonly #pushes: WaitQueue<void, T> = new WaitQueue();

  /**
   * Makes an empty queue.
   *
   * @param capacity How many values it holds at most: a whole number of at least 0.
   * @throws {RangeError} When `capacity` is anything else.
   */
  constructor(capacity: number) {
    checkWhole("make a queue", "capacity", capacity, 0);
    this.#capacity = capacity;
    Object.freeze(this);
  }

  /**
   * How many values are in the queue. What a push that waits would add is not one of them.
   *
   * @returns A number from 0 to the capacity.
   */
  get size(): number {
    return this.#values.length - this.#taken;
  }

  /**
   * Adds a value at the end, and waits for room if the queue is full.
   *
   * @param value The value.
   * @returns A promise that is fulfilled when the value is in the queue, or a pop has taken it.
   * @throws {Cancelled} When the current scope is cancelled first. The value was not added then.
   */
  push(value: T): Promise<void> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    return this.tryPush(value) ? Promise.resolve() : this.#pushes.wait("push", value);
  }

  /**
   * Takes the first value, and waits for one if the queue is empty.
   *
   * @returns The value.
   * @throws {Cancelled} When the current scope is cancelled first. Nothing was taken then.
   */
  pop(): Promise<T> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    const first = this.#take();
    return first === undefined ? this.#pops.wait("pop", undefined) : Promise.resolve(first.payload);
  }

  /**
   * Adds a value at the end if that needs no wait: if there is room, or a pop waits for a value.
   *
   * @param value The value.
   * @returns Whether it was added.
   */
  tryPush(value: T): boolean {
    if (this.#pops.wakeOne(value) !== undefined) return true;
    if (this.size >= this.#capacity) return false;
    this.#values.push(value);
    return true;
  }

  /**
   * Takes the first value if that needs no wait: if the queue is not empty, or, with a capacity of
   * 0, a push waits.
   *
   * @returns The value, or `undefined` if there is none.
   */
  tryPop(): T | undefined {
    return this.#take()?.payload;
  }

  #take(): { readonly payload: T } | undefined {
    if (this.size === 0) return this.#pushes.wakeOne();
    const payload = this.#values[this.#taken] as T;
    this.#values[this.#taken++] = undefined;
    if (this.#taken * 2 > this.#values.length) {
      this.#values = this.#values.slice(this.#taken);
      this.#taken = 0;
    }
    const next = this.#pushes.wakeOne();
    if (next !== undefined) this.#values.push(next.payload);
    return { payload };
  }
}
