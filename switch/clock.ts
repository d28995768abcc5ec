// Copyright 2026 the Sluice authors. MIT license.

import { open } from "../base/internal.ts";
import { macrotask, realTime, startTimer } from "./_context.ts";
import { currentScope, refused, type Scope, Waiter } from "./_scope.ts";
import { yieldIn } from "./cancel.ts";

/**
 * The capability to tell and to wait for time. Every timeout and delay of the library runs on one,
 * so that tests and simulations can use their own.
 *
 * @example A second, in a test that takes none
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
  /**
   * The time in milliseconds since some fixed moment. It never goes backwards on the real clock.
   */
  now(): number;
  /**
   * Waits for at least `ms` milliseconds. Any number will do, up to `Infinity`; 0, a negative
   * number and NaN only let other work run.
   *
   * @param ms How long, in milliseconds.
   * @throws {Cancelled} When the current scope is cancelled; the timer is gone then.
   */
  sleep(ms: number): Promise<void>;
  /**
   * Waits until {@linkcode Clock.now} is at least `time`. A time in the past only lets other work
   * run.
   *
   * @param time When to go on, in the milliseconds of {@linkcode Clock.now}.
   * @throws {Cancelled} When the current scope is cancelled; the timer is gone then.
   */
  sleepUntil(time: number): Promise<void>;
}

/**
 * Sleeps on any clock. A foreign one, such as that of another copy of the library, may not know the
 * current scope: when that is cancelled, the clock has until the next turn to end the sleep, and is
 * not waited for after that.
 */
export function sleepOn(clock: Clock, ms: number): Promise<void> {
  const refusal = refused();
  if (refusal !== undefined || clock === systemClock) return refusal ?? clock.sleep(ms);
  const sleeping = Promise.resolve(clock.sleep(ms));
  const waiter: Waiter<void> = new Waiter("sleep", (_, reason) => void macrotask(() => waiter.reject(reason)));
  sleeping.then(() => waiter.resolve(), (error) => waiter.reject(error));
  return waiter.promise;
}

/** The real clock: milliseconds since 1970, monotonic within the process. */
export const systemClock: Clock = Object.freeze({
  now: realTime,
  sleep: (ms: number): Promise<void> => refused() ?? sleepIn(currentScope(), ms),
  sleepUntil: (time: number): Promise<void> => refused() ?? sleepIn(currentScope(), time - realTime(), time),
});

/**
 * Sleeps on the real clock, for `ms` milliseconds and so until `time`, in a scope that is not
 * cancelled.
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
  // A runtime's timer may be early by a fraction of a millisecond, and cannot be set for more than
  // 24 days: look, and wait for the rest.
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
