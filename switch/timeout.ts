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
  warnIfUnhandled,
} from "../base/internal.ts";
import { branches } from "./_fiber.ts";
import { type Clock, sleepIn, sleepOn, systemClock } from "./clock.ts";
import { noLongerNeeded } from "./errors.ts";

/** The maximum length of a name in a message, in characters. */
const longestName = 100;

/**
 * The error of {@linkcode withTimeout} if the function does not finish in time.
 *
 * @example Recognizing a timeout
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
    warnIfUnhandled(this);
  }

  /** The time limit that was exceeded, in milliseconds. */
  readonly ms: number;

  /**
   * Creates a timeout error.
   *
   * @param ms The time limit that was exceeded, in milliseconds.
   * @param name The name of the operation, for the message.
   * @throws {TypeError} If `name` is not a string.
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
  /** A name for `fn` in the message of the {@linkcode TimeoutError}: "upload", "GET /users". */
  name?: string | undefined;
}

/**
 * Runs `fn` with a time limit: after `ms` milliseconds it is cancelled and awaited. If it returns a
 * value nevertheless, that is returned, so that nothing it opened is lost.
 *
 * @typeParam T The type of the value of `fn`.
 * @param clock The clock that measures the time.
 * @param ms The time limit in milliseconds: any number, up to `Infinity`. With 0, a negative number
 * or NaN, `fn` succeeds only if it waits for nothing outside the process.
 * @param fn The function to run. Called synchronously.
 * @param options A name for the error message.
 * @returns The value of `fn`.
 * @throws {TimeoutError} If `fn` was cancelled because it took too long.
 * @throws {Cancelled} If the current scope is cancelled.
 * @throws {MultipleErrors} If `fn` took too long and failed after it was cancelled.
 * @throws {TypeError} If an argument has the wrong type.
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
    // Only the real clock can sleep in a given scope: another one uses the scope of the running
    // code, and a foreign one may ignore even that.
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
    // The timer made the error, so the frames of the caller must be added.
    return result === undefined ? throwLater(() => retrace(timeout)) : result.value;
  });
}
