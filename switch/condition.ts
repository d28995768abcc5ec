// Copyright 2026 the Sluice authors. MIT license.

import { freezeClass } from "../base/internal.ts";
import { refused } from "./_scope.ts";
import { WaitQueue } from "./_waiter.ts";

/**
 * A condition variable: code waits until other code notifies it of a change. A notification wakes
 * only calls that wait already, and is not remembered, so wait in a loop that tests the state.
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

  /** Creates a condition. */
  constructor() {
    Object.freeze(this);
  }

  /**
   * Waits for a notification, in FIFO order. A call that is cancelled first leaves the queue, and
   * the next one receives the notification.
   *
   * @returns A promise that is fulfilled when this call is notified.
   * @throws {Cancelled} If the current scope is cancelled first.
   */
  wait(): Promise<void> {
    return refused() ?? this.#waiting.wait("wait", undefined);
  }

  /** Wakes the call of {@linkcode Condition.wait} that has waited longest, if any. */
  notify(): void {
    this.#waiting.wakeOne();
  }

  /** Wakes all calls of {@linkcode Condition.wait} that wait now, in FIFO order. */
  notifyAll(): void {
    this.#waiting.wakeAll();
  }
}
