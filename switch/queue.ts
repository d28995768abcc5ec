// Copyright 2026 the Sluice authors. MIT license.

import { checkWhole, freezeClass } from "../base/internal.ts";
import { refused } from "./_scope.ts";
import { WaitQueue } from "./_waiter.ts";

/**
 * A bounded FIFO queue between fibers. {@linkcode Queue.push} waits while the queue is full, and
 * {@linkcode Queue.pop} while it is empty; waiting calls are served in FIFO order. A call that is
 * cancelled has no effect: no value is lost or added.
 *
 * A queue of capacity 0 is a rendezvous: a push waits for the pop that takes its value.
 *
 * Source: Eio's `Stream`.
 *
 * @typeParam T The type of the values.
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
  /** The values, from index `#taken`: to shift a long array is slow. */
  #values: (T | undefined)[] = [];
  #taken = 0;
  /** Pending pops. Empty while there are values or pending pushes. */
  readonly #pops: WaitQueue<T> = new WaitQueue();
  /** Pending pushes, with their values. Empty while there is room. */
  readonly #pushes: WaitQueue<void, T> = new WaitQueue();

  /**
   * Creates an empty queue.
   *
   * @param capacity The maximum number of values: an integer >= 0.
   * @throws {RangeError} If `capacity` is anything else.
   */
  constructor(capacity: number) {
    checkWhole("make a queue", "capacity", capacity, 0);
    this.#capacity = capacity;
    Object.freeze(this);
  }

  /**
   * The number of values in the queue. The values of pending pushes are not counted.
   *
   * @returns A number from 0 to the capacity.
   */
  get size(): number {
    return this.#values.length - this.#taken;
  }

  /**
   * Appends a value. Waits for room if the queue is full.
   *
   * @param value The value.
   * @returns A promise that is fulfilled when the value is in the queue, or a pop has taken it.
   * @throws {Cancelled} If the current scope is cancelled first; the value is not added then.
   */
  push(value: T): Promise<void> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    return this.tryPush(value) ? Promise.resolve() : this.#pushes.wait("push", value);
  }

  /**
   * Removes the first value and returns it. Waits for one if the queue is empty.
   *
   * @returns The value.
   * @throws {Cancelled} If the current scope is cancelled first; nothing is removed then.
   */
  pop(): Promise<T> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    const first = this.#take();
    return first === undefined ? this.#pops.wait("pop", undefined) : Promise.resolve(first.payload);
  }

  /**
   * Appends a value without waiting, if there is room or a pop waits.
   *
   * @param value The value.
   * @returns Whether the value was added.
   */
  tryPush(value: T): boolean {
    if (this.#pops.wakeOne(value) !== undefined) return true;
    if (this.size >= this.#capacity) return false;
    this.#values.push(value);
    return true;
  }

  /**
   * Removes the first value and returns it, without waiting. With a capacity of 0, it takes the
   * value of a push that waits.
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
