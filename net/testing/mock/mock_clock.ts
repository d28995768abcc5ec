// Copyright 2026 the Sluice authors. MIT license.

import { checkBoolean, checkOptions, describe } from "../../../base/internal.ts";
import { type Clock, type Labelled, refused, type Scope, Waiter, yieldNow } from "../../../switch/internal.ts";
import { advanceWhenIdle, sleepScope } from "./_auto_advance.ts";

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

/** Options for {@linkcode mockClock}. */
export interface MockClockOptions {
  /**
   * Whether the time moves to the next timer by itself, when nothing else can run.
   *
   * @default {false}
   */
  autoAdvance?: boolean | undefined;
}

/** A sleep, and its name in dumps. */
class Sleeper implements Labelled {
  readonly until: number;
  readonly waiter: Waiter<void>;

  constructor(until: number, scope: Scope | undefined, cancelled: (sleeper: Sleeper) => void) {
    this.until = until;
    this.waiter = new Waiter(
      "sleep",
      (waiter, reason) => {
        cancelled(this);
        waiter.reject(reason);
      },
      this,
      scope,
    );
  }

  get label(): string {
    return `until ${this.until} ms`;
  }
}

/**
 * Creates a clock for tests. It stands at 0 until it is moved, so that tests do not wait for real
 * time.
 *
 * A cancelled sleep is no longer pending. A sleep of 0, of a negative number or of NaN only yields
 * to other work; a sleep of `Infinity` is never due.
 *
 * With `autoAdvance`, it moves to the next timer as soon as nothing else can run: no code is ready,
 * and nothing of the library yields. That takes a few turns of the event loop and no real time, so
 * a test with hours of timeouts needs no code to move the clock. If there is no timer then, the
 * test waits for what can never come: the innermost {@linkcode Switch} around everything that waits
 * fails with a {@linkcode DeadlockError}, which names the operations. Outside any switch the
 * outermost call fails. The clock looks at the outermost scopes in which it was made or used; made
 * outside any, at the first that begins, and at the operations of mocks that begin in the same turn
 * of the event loop. Bare promises of other code have no name and are not reported.
 *
 * What `autoAdvance` cannot see does not hold the time: real sockets and files, `setTimeout`. Use
 * it with mocks, pipes and memory networks only. While something sleeps on the real clock of the
 * library, no deadlock is reported.
 *
 * Source: Eio's `Eio_mock.Clock`, and for `autoAdvance` `Eio_mock.Backend.run_full`.
 *
 * @param options Whether it moves by itself.
 * @returns A clock that stands at 0.
 * @throws {TypeError} If `autoAdvance` is not a boolean.
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
 *
 * @example A day, without a word about time
 * ```ts
 * import { mockClock } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = mockClock({ autoAdvance: true });
 * for (let hour = 0; hour < 24; hour++) await clock.sleep(3_600_000);
 * assertEquals(clock.now(), 86_400_000);
 * ```
 *
 * @example A test that would wait forever
 * ```ts
 * import { Queue, Switch } from "@sluice/io";
 * import { DeadlockError, mockClock } from "@sluice/io/net/testing";
 * import { assertRejects } from "@std/assert";
 *
 * const clock = mockClock({ autoAdvance: true });
 * const stuck = Switch.run(async (sw) => {
 *   const jobs = new Queue<string>(1);
 *   sw.fork(() => jobs.pop()); // nothing pushes
 *   await clock.sleep(1_000);
 * });
 * await assertRejects(() => stuck, DeadlockError, "waiting: pop");
 * ```
 */
export function mockClock(options?: MockClockOptions): MockClock {
  const { autoAdvance = false } = checkOptions("make a mock clock", options);
  checkBoolean("make a mock clock", "autoAdvance", autoAdvance);
  let now = 0;
  const sleepers = new Set<Sleeper>(); // in FIFO order

  /** Returns the sleepers with a finite sleep, in the order in which they wake. */
  function timers(): Sleeper[] {
    return [...sleepers].filter(({ until }) => until < Infinity).sort((a, b) => a.until - b.until);
  }

  function sleepUntil(time: number): Promise<void> {
    if (!(time > now)) return yieldNow();
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    const scope = autoAdvance ? sleepScope(clock) : undefined; // by default the current one
    const sleeper = new Sleeper(time, scope, (cancelled) => sleepers.delete(cancelled));
    sleepers.add(sleeper);
    return sleeper.waiter.promise;
  }

  function setTime(time: number): void {
    if (!Number.isFinite(time)) throw new RangeError(`Cannot set the time: ${describe(time)} is not a finite number`);
    now = time;
    for (const sleeper of timers()) {
      if (sleeper.until > time) break;
      sleepers.delete(sleeper);
      sleeper.waiter.resolve();
    }
  }

  function tryAdvance(): boolean {
    const next = timers()[0];
    if (next !== undefined) setTime(next.until);
    return next !== undefined;
  }

  const clock: MockClock = Object.freeze({
    now: () => now,
    sleep: (ms: number): Promise<void> => sleepUntil(now + ms),
    sleepUntil,
    advance(): void {
      if (!tryAdvance()) throw new RangeError("Cannot advance the clock: no sleep is pending");
    },
    tryAdvance,
    setTime,
  });
  if (autoAdvance) advanceWhenIdle(clock);
  return clock;
}
