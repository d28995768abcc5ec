// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions, rejectionOf } from "../base/internal.ts";
import { branches, checkFunctions, checkTwo } from "./_fiber.ts";
import { awaitCancel } from "./cancel.ts";
import { noLongerNeeded } from "./errors.ts";

/** Options for {@linkcode first} and {@linkcode any}. */
export interface AnyOptions<T> {
  /**
   * Combines two values, if a second branch succeeded although it was cancelled, so that no value
   * is lost.
   *
   * @default {(earlier) => earlier}
   */
  combine?: ((earlier: T, later: T) => T) | undefined;
}

/**
 * Runs functions concurrently; the first to return a value wins. The others are cancelled and
 * awaited. An error takes precedence over values, even if it occurs after another branch succeeded;
 * a loser's {@linkcode Cancelled} is ignored.
 *
 * @typeParam T The type of the values.
 * @param fns The functions to run. With an empty list, `any` waits until it is cancelled.
 * @param options How to combine several values.
 * @returns The first value, or the result of `combine` if there were several. A value is returned
 * even if the current scope is cancelled meanwhile.
 * @throws {TypeError} If a member or `combine` is not a function; nothing is started then.
 * @throws {Cancelled} If the current scope is cancelled before there is a value.
 * @throws {MultipleErrors} If several fail. A single failure is thrown as it is.
 *
 * @example The quickest of several
 * ```ts
 * import { any, awaitCancel } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await any([awaitCancel, () => Promise.resolve("mirror 2")]), "mirror 2");
 * ```
 */
export function any<T>(fns: readonly (() => T | Promise<T>)[], options?: AnyOptions<T>): Promise<T> {
  return untilFirstOf("any", options, () => checkFunctions("run any", fns, "any([f, g])"));
}

function untilFirstOf<T>(
  kind: string,
  options: AnyOptions<T> | undefined,
  check: () => readonly (() => T | Promise<T>)[],
): Promise<T> {
  let fns!: readonly (() => T | Promise<T>)[];
  let combine: AnyOptions<T>["combine"];
  const problem = rejectionOf(() => {
    fns = check();
    checkOptions(`run ${kind}`, options);
    combine = options?.combine;
    if (combine !== undefined) checkFunction("combine values", combine);
  });
  return problem ?? untilFirst(kind, fns, (values) => values[0] as T, (values, value) => {
    if (values.length === 0) values.push(value);
    else if (combine !== undefined) values[0] = combine(values[0] as T, value);
  });
}

/**
 * {@linkcode any} of two functions.
 *
 * @typeParam A The type of the value of `f`.
 * @typeParam B The type of the value of `g`.
 * @param f The first function.
 * @param g The second function.
 * @param options How to combine two values.
 * @returns The first value.
 * @throws {TypeError} If `f`, `g` or `combine` is not a function; nothing is started then.
 * @throws {Cancelled} If the current scope is cancelled before there is a value.
 * @throws {MultipleErrors} If both fail. A single failure is thrown as it is.
 *
 * @example Work that a stop ends
 * ```ts
 * import { awaitCancel, first } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await first(() => awaitCancel(), () => Promise.resolve("stopped")), "stopped");
 * ```
 */
export function first<A, B>(
  f: () => A | Promise<A>,
  g: () => B | Promise<B>,
  options?: AnyOptions<A | B>,
): Promise<A | B> {
  return untilFirstOf<A | B>("first", options, () => {
    checkTwo("first", f, g);
    return [f, g];
  });
}

/**
 * Like {@linkcode any}, but returns all values, in order of completion, so that none is lost.
 *
 * @typeParam T The type of the values.
 * @param fns The functions to run. With an empty list, `nAny` waits until it is cancelled.
 * @returns At least one value.
 * @throws {TypeError} If a member is not a function; nothing is started then.
 * @throws {Cancelled} If the current scope is cancelled before there is a value.
 * @throws {MultipleErrors} If several fail. A single failure is thrown as it is.
 *
 * @example Taking from whatever is ready
 * ```ts
 * import { awaitCancel, nAny } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await nAny([() => Promise.resolve(1), awaitCancel, () => Promise.resolve(3)]), [1, 3]);
 * ```
 */
export function nAny<T>(fns: readonly (() => T | Promise<T>)[]): Promise<T[]> {
  let checked!: typeof fns;
  const problem = rejectionOf(() => checked = checkFunctions("run nAny", fns, "nAny([f, g])"));
  return problem ?? untilFirst("nAny", checked, (values) => values, (values, value) => values.push(value));
}

/**
 * Runs `fns` until one returns a value. `keep` collects the values, and `pick` makes the result.
 */
function untilFirst<T, R>(
  kind: string,
  fns: readonly (() => T | Promise<T>)[],
  pick: (values: T[]) => R,
  keep: (values: T[], value: T) => unknown,
): Promise<R> {
  const values: T[] = [];
  return branches(kind, (start, scope) => {
    if (fns.length === 0) start(awaitCancel, () => {});
    for (const fn of fns) {
      start(fn, (value) => {
        keep(values, value);
        scope.cancel(noLongerNeeded());
      });
    }
  }, (scope) => {
    if (values.length === 0) throw scope.reason;
    return pick(values);
  });
}
