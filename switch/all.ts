// Copyright 2026 the Sluice authors. MIT license.

import { rejectionOf } from "../base/internal.ts";
import { branches, checkFunctions, checkTwo } from "./_fiber.ts";

/** The awaited return types of a tuple of functions. */
export type Results<F extends readonly (() => unknown)[]> = { -readonly [K in keyof F]: Awaited<ReturnType<F[K]>> };

/**
 * Runs functions concurrently and waits for all of them. The first error cancels the others, and is
 * thrown once all have ended. Each function is called synchronously, up to its first `await`; after
 * a synchronous throw the rest are not started.
 *
 * @typeParam F The functions.
 * @param fns The functions to run. For an empty list, the result is an empty list.
 * @returns The results, in the order of `fns`.
 * @throws {TypeError} If a member is not a function; nothing is started then.
 * @throws {Cancelled} If the current scope is cancelled; nothing is started if it was before.
 * @throws {MultipleErrors} If several fail. A single failure is thrown as it is.
 *
 * @example Two tasks at once
 * ```ts
 * import { all } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await all([() => Promise.resolve(1), () => "two"]), [1, "two"]);
 * ```
 */
export function all<const F extends readonly (() => unknown)[]>(fns: F): Promise<Results<F>> {
  let checked!: F;
  const problem = rejectionOf(() => checked = checkFunctions("run all", fns, "all([f, g])") as F);
  return problem ?? runAll("all", checked);
}

function runAll<F extends readonly (() => unknown)[]>(kind: string, fns: F): Promise<Results<F>> {
  const values: unknown[] = new Array(fns.length);
  let missing = fns.length;
  return branches(kind, (start) => {
    fns.forEach((fn, i) =>
      start(fn, (value) => {
        values[i] = value;
        missing--;
      })
    );
  }, (scope) => {
    if (missing > 0) throw scope.reason;
    return values as Results<F>;
  });
}

/**
 * {@linkcode all} of two functions.
 *
 * @typeParam A The type of the value of `f`.
 * @typeParam B The type of the value of `g`.
 * @param f The first function.
 * @param g The second function.
 * @returns Both results.
 * @throws {TypeError} If `f` or `g` is not a function; nothing is started then.
 * @throws {Cancelled} If the current scope is cancelled.
 * @throws {MultipleErrors} If both fail. A single failure is thrown as it is.
 *
 * @example Both or nothing
 * ```ts
 * import { both } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await both(() => 1, () => 2), [1, 2]);
 * ```
 */
export function both<A, B>(f: () => A | Promise<A>, g: () => B | Promise<B>): Promise<[A, B]> {
  const problem = rejectionOf(() => checkTwo("both", f, g));
  return problem ?? runAll("both", [f, g]) as Promise<[A, B]>;
}
