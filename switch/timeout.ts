// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, rejectionOf, textOf } from "./check.ts";
import { type Clock, sleepIn, systemClock } from "./clock.ts";
import { noLongerNeeded } from "./errors.ts";
import { branches } from "./fiber.ts";

/**
 * What {@linkcode withTimeout} timed did not finish in time.
 *
 * @example Recognising a timeout
 * ```ts
 * import { awaitCancel, run, TimeoutError, withTimeout } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * await run((env) => assertRejects(() => withTimeout(env.clock, 1, awaitCancel), TimeoutError));
 * ```
 */
export class TimeoutError extends Error {
  /** How long it was given, in milliseconds. */
  readonly ms: number;

  /**
   * Makes a timeout.
   *
   * @param ms How long it was given, in milliseconds.
   */
  constructor(ms: number) {
    super(`Operation did not finish within ${ms} ms`);
    this.name = "TimeoutError";
    this.ms = ms;
  }
}

/**
 * Runs `fn`, but not for longer than `ms` milliseconds: then it is cancelled, and awaited. A value that it gives all the same is returned, so that
 * nothing it opened is lost.
 *
 * @typeParam T What `fn` gives.
 * @param clock The clock to time with.
 * @param ms How long `fn` may take, in milliseconds: any number up to `Infinity`. With 0, a negative number or NaN only an `fn` that waits for nothing
 * outside the process is in time.
 * @param fn What to run. It is called at once.
 * @returns What `fn` gave.
 * @throws {TimeoutError} When `fn` was cancelled because of the time.
 * @throws {Cancelled} When the current scope is cancelled.
 * @throws {MultipleErrors} When the time ran out and `fn` failed on its way out.
 *
 * @example A timeout that really stops the work
 * ```ts
 * import { awaitCancel, run, TimeoutError, withTimeout } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * await run((env) => assertRejects(() => withTimeout(env.clock, 1, awaitCancel), TimeoutError));
 * ```
 */
export function withTimeout<T>(clock: Clock, ms: number, fn: () => T | Promise<T>): Promise<T> {
  const problem = rejectionOf(() => {
    if (typeof ms !== "number") throw new TypeError(`Cannot set a timeout: ${textOf(ms)} is not a number`);
    checkFunction("set a timeout", fn);
  });
  if (problem !== undefined) return problem;
  let timeout: TimeoutError | undefined;
  let result: { value: T } | undefined;
  return branches("withTimeout", (start, scope, follow) => {
    const ring = () => {
      if (scope.reason === undefined) throw timeout = new TimeoutError(ms);
    };
    // The real clock sleeps in any scope it is given; another one knows only that of the running code.
    if (clock === systemClock) follow(sleepIn(scope, ms), ring);
    else start(() => clock.sleep(ms), ring);
    start(fn, (value) => {
      result = { value };
      scope.cancel(noLongerNeeded());
    });
  }, (scope) => {
    if (result === undefined) throw scope.reason;
    return result.value;
  }, (error) => {
    if (result === undefined || error !== timeout) throw error;
    return result.value;
  });
}
