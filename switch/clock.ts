// Copyright 2026 the Sluice authors. MIT license.

import { open } from "../base/internal.ts";
import { macrotask, realTime, startTimer } from "./_context.ts";
import { currentScope, refused, type Scope } from "./_scope.ts";
import { Waiter } from "./_waiter.ts";
import { yieldIn } from "./cancel.ts";

/**
 * The capability to read the time and to sleep. Every timeout and delay of the library uses a
 * clock, which tests and simulations can replace.
 *
 * @example A test that sleeps for a second of simulated time
 * ```ts
 * import { mockClock } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const clock = mockClock();
 * const sleeping = clock.sleep(1000);
 * clock.advance();
 * await sleeping;
 * assertEquals(clock.now(), 1000);
 * ```
 */
export interface Clock {
  /** Returns the milliseconds since a fixed moment. The real clock is monotonic. */
  now(): number;
  /**
   * Sleeps for at least `ms` milliseconds. With 0, a negative number or NaN it only yields to other
   * code.
   *
   * @param ms The duration in milliseconds: any number, up to `Infinity`.
   * @throws {Cancelled} If the current scope is cancelled, which also clears the timer.
   */
  sleep(ms: number): Promise<void>;
  /**
   * Sleeps until {@linkcode Clock.now} is at least `time`. If that is in the past, it only yields
   * to other code.
   *
   * @param time The time to wake at, in milliseconds, as {@linkcode Clock.now} returns it.
   * @throws {Cancelled} If the current scope is cancelled, which also clears the timer.
   */
  sleepUntil(time: number): Promise<void>;
}

/**
 * Sleeps on any clock. A foreign clock, such as that of another copy of the library, may not know
 * the current scope: if the scope is cancelled, the sleep ends in the next turn of the event loop,
 * even if the clock has not ended it.
 */
export function sleepOn(clock: Clock, ms: number): Promise<void> {
  const refusal = refused();
  if (refusal !== undefined || clock === systemClock) return refusal ?? clock.sleep(ms);
  const sleeping = Promise.resolve(clock.sleep(ms));
  const waiter: Waiter<void> = new Waiter("sleep", (_, reason) => void macrotask(() => waiter.reject(reason)));
  sleeping.then(() => waiter.resolve(), (error) => waiter.reject(error));
  return waiter.promise;
}

/** The real clock: milliseconds since the Unix epoch, monotonic within the process. */
export const systemClock: Clock = Object.freeze({
  now: realTime,
  sleep: (ms: number): Promise<void> => refused() ?? sleepIn(currentScope(), ms),
  sleepUntil: (time: number): Promise<void> => refused() ?? sleepIn(currentScope(), time - realTime(), time),
});

/**
 * Sleeps on the real clock in a scope that is not cancelled, for `ms` milliseconds, which end at
 * `time`.
 */
export function sleepIn(scope: Scope | undefined, ms: number, time: number = realTime() + ms): Promise<void> {
  if (!(ms > 0)) return yieldIn(scope);
  const waiter: Waiter<void> = new Waiter(
    "sleep",
    (_, reason) => {
      timer.stop();
      open.timers--;
      waiter.reject(reason);
    },
    undefined,
    scope,
  );
  // A runtime's timer may fire a fraction of a millisecond early, and no later than after 24 days:
  // sleep again for the rest.
  const ring = () => {
    const rest = time - realTime();
    if (rest > 0) {
      timer = startTimer(Math.ceil(rest), ring);
    } else {
      open.timers--;
      waiter.resolve();
    }
  };
  let timer = startTimer(Math.ceil(ms), ring);
  open.timers++;
  return waiter.promise;
}
