// Copyright 2026 the Sluice authors. MIT license.

import { freezeClass } from "../base/internal.ts";
import { refused } from "./_scope.ts";
import { WaitQueue } from "./_wait_queue.ts";

/**
 * Lets code wait until other code says that something has changed. Nothing is remembered: a
 * notification wakes only what waits already, so test what you wait for in a loop.
 *
 * Source: Eio's `Condition`.
 *
 * @example Waiting for a state
 * ```ts
 * import { both, Condition } from "@sluice/io";
 *
 * const changed = new Condition();
 * let ready = false;
 * await both(
 *   async () => {
 *     while (!ready) await changed.wait();
 *   },
 *   () => {
 *     ready = true;
 *     changed.notifyAll();
 *   },
 * );
 * ```
 */
export class Condition {
  static {
    freezeClass(this);
  }

  readonly #waiting: WaitQueue<void> = new WaitQueue();

  /** Makes a condition for which nothing waits yet. */
  constructor() {
    Object.freeze(this);
  }

  /**
   * Waits for a notification. A call that is cancelled before it is notified leaves the queue, and
   * the notification goes to the next one.
   *
   * @returns A promise that is fulfilled when this call is notified.
   * @throws {Cancelled} When the current scope is cancelled first.
   */
  wait(): Promise<void> {
    return refused() ?? this.#waiting.wait("wait", undefined);
  }

  /** Wakes the call of {@linkcode Condition.wait} that has waited longest, if there is one. */
  notify(): void {
    this.#waiting.wakeOne();
  }

  /**
   * Wakes every call of {@linkcode Condition.wait} that waits now, in the order in which they began
   * to.
   */
  notifyAll(): void {
    this.#waiting.wakeAll();
  }
}
