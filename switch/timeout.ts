// Copyright 2026 the Sluice authors. MIT license.

import {
  checkClock,
  checkFunction,
  checkName,
  checkOptions,
  describe,
  escapeText,
  freezeClass,
  rejectionOf,
  retrace,
  throwLater,
} from "../base/internal.ts";
import { type Clock, sleepIn, sleepOn, systemClock } from "./clock.ts";
import { noLongerNeeded } from "./errors.ts";
import { branches } from "./fiber.ts";

/** How many characters of a name are shown. */
const longestName = 100;

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
  static {
    freezeClass(this);
  }

  /** How long it was given, in milliseconds. */
  readonly ms: number;

  /**
   * Makes a timeout.
   *
   * @param ms How long it was given, in milliseconds.
   * @param name What did not finish, for the message.
   */
  constructor(ms: number, name?: string) {
    checkName("make a TimeoutError", name);
    const what = name === undefined ? "the operation" : escapeText(name, longestName);
    super(`Cannot finish ${what} within ${describe(ms)} ms`);
    this.name = "TimeoutError";
    this.ms = ms;
  }
}

/** Options for {@linkcode withTimeout}. */
export interface WithTimeoutOptions {
  /** What `fn` does, for the message of the {@linkcode TimeoutError}: "upload", "GET /users". */
  name?: string | undefined;
}

/**
 * Runs `fn`, but not for longer than `ms` milliseconds: then it is cancelled, and awaited. A value
 * that it returns all the same is returned, so that nothing it opened is lost.
 *
 * @typeParam T What `fn` returns.
 * @param clock The clock to time with.
 * @param ms How long `fn` may take, in milliseconds: any number up to `Infinity`. With 0, a
 * negative number or NaN only an `fn` that waits for nothing outside the process is in time.
 * @param fn What to run. It is called at once.
 * @param options A name for the error.
 * @returns What `fn` returned.
 * @throws {TimeoutError} When `fn` was cancelled because of the time.
 * @throws {Cancelled} When the current scope is cancelled.
 * @throws {MultipleErrors} When the time ran out and `fn` failed on its way out.
 * @throws {TypeError} When an argument is of the wrong type.
 *
 * @example A timeout that really stops the work
 * ```ts
 * import { awaitCancel, run, TimeoutError, withTimeout } from "@sluice/io";
 * import { assertRejects } from "@std/assert";
 *
 * await run((env) =>
 *   assertRejects(
 *     () => withTimeout(env.clock, 1, awaitCancel, { name: "upload" }),
 *     TimeoutError,
 *     "Cannot finish upload within 1 ms",
 *   )
 * );
 * ```
 */
export function withTimeout<T>(
  clock: Clock,
  ms: number,
  fn: () => T | Promise<T>,
  options?: WithTimeoutOptions,
): Promise<T> {
  let name: string | undefined;
  const problem = rejectionOf(() => {
    checkClock("set a timeout", clock);
    if (typeof ms !== "number") throw new TypeError(`Cannot set a timeout: ${describe(ms)} is not a number`);
    checkFunction("set a timeout", fn);
    checkOptions("set a timeout", options);
    ({ name } = options ?? {});
    checkName("set a timeout", name);
  });
  if (problem !== undefined) return problem;
  let timeout: TimeoutError | undefined;
  let result: { value: T } | undefined;
  return branches<T>("withTimeout", (start, scope, follow) => {
    const ring = () => {
      if (scope.reason === undefined) throw timeout = new TimeoutError(ms, name);
    };
    // The real clock sleeps in any scope it is given; another one knows only that of the running
    // code, and a foreign one not even that.
    if (clock === systemClock) follow(sleepIn(scope, ms), ring);
    else start(() => sleepOn(clock, ms), ring);
    start(fn, (value) => {
      result = { value };
      scope.cancel(noLongerNeeded());
    });
  }, (scope) => {
    if (result === undefined) throw scope.reason;
    return result.value;
  }, (error) => {
    if (timeout === undefined || error !== timeout) throw error;
    // Made when the clock rang, it has the frames of the caller only from here on.
    return result === undefined ? throwLater(() => retrace(timeout)) : result.value;
  });
}
