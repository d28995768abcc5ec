// Copyright 2026 the Sluice authors. MIT license.

import {
  checkClock,
  checkFunction,
  checkNumber,
  checkOptions,
  checkWhole,
  describe,
  isInstance,
  random,
  rejectionOf,
} from "../base/internal.ts";
import { asOperation } from "./_forgotten.ts";
import { currentScope, failureIn, refused } from "./_scope.ts";
import { type Clock, sleepOn } from "./clock.ts";
import { Cancelled } from "./errors.ts";

/** How often {@linkcode retry} tries, and how long it waits between two attempts. */
export interface RetryPolicy {
  /**
   * How many attempts are made at most, the first one included: a whole number of at least 1, or
   * `Infinity`.
   *
   * @default {5}
   */
  attempts?: number | undefined;
  /** How long to wait after the first attempt, in milliseconds. */
  delay: number;
  /**
   * The longest wait, in milliseconds.
   *
   * @default {60_000}
   */
  maxDelay?: number | undefined;
  /**
   * By how much each wait is longer than the one before it: a number of at least 1.
   *
   * @default {2}
   */
  factor?: number | undefined;
  /**
   * Which part of each wait is random, from 0 to 1: with 0.25 a wait of 1000 ms takes between 750
   * and 1000 ms. It keeps clients that failed together from coming back together.
   *
   * @default {0}
   */
  jitter?: number | undefined;
}

/** Options for {@linkcode retry}. */
export interface RetryOptions {
  /**
   * Whether another attempt may help after this error. Not asked for {@linkcode Cancelled}, which
   * is never retried.
   *
   * @default {() => true}
   */
  isRetryable?: ((error: unknown) => boolean) | undefined;
}

/**
 * Calls `fn` again and again until it succeeds, and waits longer after each failure. Cancelling the
 * current scope ends the wait at once.
 *
 * @typeParam T What `fn` returns.
 * @param clock The clock on which to wait.
 * @param policy How often to try, and how long to wait.
 * @param fn What to try. It is called with the number of the attempt, from 1.
 * @param options Which errors are worth another attempt.
 * @returns What `fn` returned at last.
 * @throws {unknown} What the last attempt threw, as it is.
 * @throws {Cancelled} When the current scope is cancelled.
 * @throws {TypeError} When an argument is of the wrong type.
 * @throws {RangeError} When a number in `policy` is out of range.
 *
 * @example An attempt that succeeds in the end
 * ```ts
 * import { retry, run } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * await run(async ({ clock }) => {
 *   const result = await retry(clock, { delay: 1, jitter: 0.5 }, (attempt) => {
 *     if (attempt < 3) throw new Error("Cannot connect");
 *     return attempt;
 *   });
 *   assertEquals(result, 3);
 * });
 * ```
 */
export function retry<T>(
  clock: Clock,
  policy: RetryPolicy,
  fn: (attempt: number) => T | Promise<T>,
  options?: RetryOptions,
): Promise<T> {
  let plan!: Required<RetryPolicy>;
  let isRetryable: RetryOptions["isRetryable"];
  const problem = rejectionOf(() => {
    checkClock("retry", clock);
    plan = checkPolicy(policy);
    checkFunction("retry", fn);
    checkOptions("retry", options);
    ({ isRetryable } = options ?? {});
    if (isRetryable !== undefined) checkFunction("retry", isRetryable);
  });
  return problem ?? refused() ?? asOperation("retry", () => attempts(clock, plan, fn, isRetryable));
}

async function attempts<T>(
  clock: Clock,
  { attempts, delay, maxDelay, factor, jitter }: Required<RetryPolicy>,
  fn: (attempt: number) => T | Promise<T>,
  isRetryable: RetryOptions["isRetryable"],
): Promise<T> {
  const scope = currentScope();
  let wait = Math.min(delay as number, maxDelay as number);
  for (let attempt = 1;; attempt++) {
    try {
      return await fn(attempt);
    } catch (error) {
      if (attempt >= (attempts as number) || scope?.reason !== undefined || isInstance(error, Cancelled)) {
        throw failureIn(scope, error);
      }
      if (isRetryable !== undefined && !isRetryable(error)) throw error;
    }
    await sleepOn(clock, wait * (1 - (jitter as number) * random()));
    wait = Math.min(wait * (factor as number), maxDelay as number);
  }
}

function checkPolicy(policy: RetryPolicy): Required<RetryPolicy> {
  if (typeof policy !== "object" || policy === null) {
    throw new TypeError(`Cannot retry as policy must be an object: current value is ${describe(policy)}`);
  }
  const { attempts = 5, delay, maxDelay: given, factor = 2, jitter = 0 } = policy;
  checkWhole("retry", "attempts", attempts, 1, true);
  checkNumber("retry", "delay", delay, 0, Infinity);
  const maxDelay = given === undefined ? Math.max(delay, 60_000) : given;
  checkNumber("retry", "maxDelay", maxDelay, 0, Infinity);
  checkNumber("retry", "factor", factor, 1, Infinity);
  checkNumber("retry", "jitter", jitter, 0, 1);
  return { attempts, delay, maxDelay, factor, jitter };
}
