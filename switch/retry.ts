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
import { asOperation, currentScope, failureIn, refused } from "./_scope.ts";
import { type Clock, sleepOn } from "./clock.ts";
import { Cancelled } from "./errors.ts";

/** The number of attempts of {@linkcode retry}, and the exponential back-off between them. */
export interface RetryPolicy {
  /**
   * The maximum number of attempts, the first one included: an integer >= 1, or `Infinity`.
   *
   * @default {5}
   */
  attempts?: number | undefined;
  /** The delay after the first attempt, in milliseconds. */
  delay: number;
  /**
   * The maximum delay, in milliseconds. By default it is 60 000, or `delay` if that is longer.
   *
   * @default {60_000}
   */
  maxDelay?: number | undefined;
  /**
   * The factor by which the delay grows after each attempt: a number >= 1.
   *
   * @default {2}
   */
  factor?: number | undefined;
  /**
   * The fraction of each delay that is random, from 0 to 1: with 0.25, a delay of 1000 ms takes
   * from 750 to 1000 ms. It keeps clients that failed together from retrying together.
   *
   * @default {0}
   */
  jitter?: number | undefined;
}

/** Options for {@linkcode retry}. */
export interface RetryOptions {
  /**
   * Reports whether to retry after an error. Not called for {@linkcode Cancelled}, which is never
   * retried.
   *
   * @default {() => true}
   */
  isRetryable?: ((error: unknown) => boolean) | undefined;
}

/**
 * Calls `fn` until it succeeds, with exponential back-off. Cancelling the current scope ends the
 * delay at once.
 *
 * @typeParam T The type of the value of `fn`.
 * @param clock The clock for the delays.
 * @param policy The number of attempts, and the back-off.
 * @param fn The function to try. It is called with the number of the attempt, from 1.
 * @param options Which errors to retry after.
 * @returns The value of the first successful attempt.
 * @throws {unknown} The error of the last attempt, unchanged.
 * @throws {Cancelled} If the current scope is cancelled.
 * @throws {TypeError} If an argument has the wrong type.
 * @throws {RangeError} If a number in `policy` is out of range.
 *
 * @example Retrying until an attempt succeeds
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
  const { attempts = 5, delay, maxDelay: limit, factor = 2, jitter = 0 } = policy;
  checkWhole("retry", "attempts", attempts, 1, true);
  checkNumber("retry", "delay", delay, 0, Infinity);
  const maxDelay = limit === undefined ? Math.max(delay, 60_000) : limit;
  checkNumber("retry", "maxDelay", maxDelay, 0, Infinity);
  checkNumber("retry", "factor", factor, 1, Infinity);
  checkNumber("retry", "jitter", jitter, 0, 1);
  return { attempts, delay, maxDelay, factor, jitter };
}
