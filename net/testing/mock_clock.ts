// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../base/internal.ts";
import { type Clock, currentSignal, interruptible, yieldNow } from "../../switch/mod.ts";

/** A clock whose time moves only when told to. Made by {@linkcode mockClock}. */
export interface MockClock extends Clock {
  /**
   * Moves the time to that of the next timer, and wakes every sleeper that is due then.
   *
   * @throws {RangeError} When no sleep is pending, or only endless ones.
   */
  advance(): void;
  /**
   * Like {@linkcode MockClock.advance}, but does nothing where no sleep is pending.
   *
   * @returns Whether there was a timer.
   */
  tryAdvance(): boolean;
  /**
   * Moves the time, backwards too, and wakes the sleepers that are due then: in the order of their times, and those of the same time in the order in
   * which they fell asleep.
   *
   * @param time The new time, in milliseconds: any finite number.
   * @throws {RangeError} When `time` is not a finite number.
   */
  setTime(time: number): void;
}

interface Sleeper {
  readonly until: number;
  /** Aborted in the very turn in which the sleeper is cancelled. */
  readonly signal: AbortSignal;
  wake(): void;
}

/**
 * Makes a clock for tests: it stands at 0 until told to move, so that nothing in a test waits for real time.
 *
 * A sleep that is cancelled is not pending any more. A sleep of 0, of a negative number or of NaN only lets other work run; a sleep of `Infinity` is never due.
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
  const sleepers = new Set<Sleeper>(); // in the order in which they fell asleep

  /** The sleepers that will wake, in the order in which they do. */
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
