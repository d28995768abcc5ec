// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../base/internal.ts";
import { type Clock, currentSignal, interruptible, yieldNow } from "../../switch/mod.ts";

/** A clock whose time moves only on request. Created by {@linkcode mockClock}. */
export interface MockClock extends Clock {
  /**
   * Moves the time to the next timer, and wakes every sleeper due then.
   *
   * @throws {RangeError} If no finite sleep is pending.
   */
  advance(): void;
  /**
   * Like {@linkcode MockClock.advance}, but does nothing if no finite sleep is pending.
   *
   * @returns Whether there was a timer.
   */
  tryAdvance(): boolean;
  /**
   * Sets the time, forwards or backwards, and wakes the sleepers due then in the order of their
   * times; those of the same time in FIFO order.
   *
   * @param time The new time, in milliseconds: any finite number.
   * @throws {RangeError} If `time` is not a finite number.
   */
  setTime(time: number): void;
}

interface Sleeper {
  readonly until: number;
  /** Aborted in the same turn in which the sleeper is cancelled. */
  readonly signal: AbortSignal;
  wake(): void;
}

/**
 * Creates a clock for tests. It stands at 0 until it is moved, so that tests do not wait for real
 * time.
 *
 * A cancelled sleep is no longer pending. A sleep of 0, of a negative number or of NaN only yields
 * to other work; a sleep of `Infinity` is never due.
 *
 * Source: Eio's `Eio_mock.Clock`.
 *
 * @returns A clock that stands at 0.
 *
 * @example An hour that takes no time
 * ```ts
 * import { awaitCancel, TimeoutError, withTimeout } from "@sluice/io";
 * import { mockClock } from "@sluice/io/net/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const clock = mockClock();
 * const timed = assertRejects(() => withTimeout(clock, 3_600_000, awaitCancel), TimeoutError);
 * clock.advance();
 * await timed;
 * assertEquals(clock.now(), 3_600_000);
 * ```
 */
export function mockClock(): MockClock {
  let now = 0;
  const sleepers = new Set<Sleeper>(); // in FIFO order

  /** Returns the sleepers with a finite, uncancelled sleep, in the order in which they wake. */
  function timers(): Sleeper[] {
    return [...sleepers].filter(({ until, signal }) => until < Infinity && !signal.aborted)
      .sort((a, b) => a.until - b.until);
  }

  function sleepUntil(time: number): Promise<void> {
    if (!(time > now)) return yieldNow();
    let wake!: () => void;
    const due = new Promise<void>((resolve) => wake = resolve);
    const sleeper: Sleeper = { until: time, signal: currentSignal(), wake };
    sleepers.add(sleeper);
    const sleeping = interruptible(due);
    sleeping.catch(() => sleepers.delete(sleeper));
    return sleeping;
  }

  function setTime(time: number): void {
    if (!Number.isFinite(time)) throw new RangeError(`Cannot set the time: ${describe(time)} is not a finite number`);
    now = time;
    for (const sleeper of timers()) {
      if (sleeper.until > time) break;
      sleepers.delete(sleeper);
      sleeper.wake();
    }
  }

  function tryAdvance(): boolean {
    const next = timers()[0];
    if (next !== undefined) setTime(next.until);
    return next !== undefined;
  }

  return Object.freeze({
    now: () => now,
    sleep: (ms: number): Promise<void> => sleepUntil(now + ms),
    sleepUntil,
    advance(): void {
      if (!tryAdvance()) throw new RangeError("Cannot advance the clock: no sleep is pending");
    },
    tryAdvance,
    setTime,
  });
}
