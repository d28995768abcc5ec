// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions, checkWhole, describe, isIterable, rejectionOf } from "../base/internal.ts";
import { branches } from "./_fiber.ts";

/** Options for {@linkcode mapFibers}, {@linkcode filterFibers} and {@linkcode forEachFiber}. */
export interface FiberListOptions {
  /**
   * The maximum number of fibers at a time: an integer >= 1, or `Infinity`.
   *
   * @default {Infinity}
   */
  maxFibers?: number | undefined;
}

/**
 * Maps each item in a separate fiber, at most `maxFibers` at a time. The first error cancels the
 * others, and no more fibers are started.
 *
 * @typeParam T The type of an item.
 * @typeParam R The type of a result.
 * @param items The items, which are collected before the first fiber starts.
 * @param fn Maps one item.
 * @param options The maximum number of fibers.
 * @returns The results, in the order of `items`.
 * @throws {TypeError} If an argument has the wrong type; nothing is started then.
 * @throws {RangeError} If `maxFibers` is neither an integer >= 1 nor `Infinity`; nothing is started
 * then.
 * @throws {Cancelled} If the current scope is cancelled.
 * @throws {MultipleErrors} If several fail. A single failure is thrown as it is.
 *
 * @example At most two at once
 * ```ts
 * import { mapFibers } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await mapFibers([1, 2, 3], (n) => Promise.resolve(n * 2), { maxFibers: 2 }), [2, 4, 6]);
 * ```
 */
export function mapFibers<T, R>(
  items: Iterable<T>,
  fn: (item: T) => R | Promise<R>,
  options?: FiberListOptions,
): Promise<R[]> {
  return runEach("mapFibers", items, fn, options, (_, results) => results);
}

/** Runs a fiber for each item, and returns the value of `pick` for the items and the results. */
function runEach<T, R, P>(
  kind: string,
  items: Iterable<T>,
  fn: (item: T) => R | Promise<R>,
  options: FiberListOptions | undefined,
  pick: (list: readonly T[], results: R[]) => P,
): Promise<P> {
  let list: T[] = [];
  let maxFibers = Infinity;
  const problem = rejectionOf(() => {
    const action = `run ${kind}`;
    checkFunction(action, fn);
    checkOptions(action, options);
    ({ maxFibers = Infinity } = options ?? {});
    checkWhole(action, "maxFibers", maxFibers, 1, true);
    if (!isIterable(items)) throw new TypeError(`Cannot ${action}: ${describe(items)} is not iterable`);
    list = [...items];
  });
  if (problem !== undefined) return problem;
  const results: R[] = new Array(list.length);
  let next = 0;
  let missing = list.length;
  return branches(kind, (start) => {
    const startNext = () => {
      if (next === list.length) return;
      const i = next++;
      start(() => fn(list[i] as T), (value) => {
        results[i] = value;
        missing--;
        startNext();
      });
    };
    for (let i = 0; i < Math.min(maxFibers, list.length); i++) startNext();
  }, (scope) => {
    if (missing > 0) throw scope.reason;
    return pick(list, results);
  });
}

/**
 * Filters items with a test that runs in a separate fiber for each item, like
 * {@linkcode mapFibers}.
 *
 * @typeParam T The type of an item.
 * @param items The items to filter.
 * @param test Reports whether to keep an item.
 * @param options The maximum number of fibers.
 * @returns The items for which `test` returned true, in the order of `items`.
 * @throws {TypeError} If an argument has the wrong type.
 * @throws {RangeError} If `maxFibers` is neither an integer >= 1 nor `Infinity`.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example Keeping the items that pass an asynchronous test
 * ```ts
 * import { filterFibers } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await filterFibers([1, 2, 3], (n) => Promise.resolve(n !== 2)), [1, 3]);
 * ```
 */
export function filterFibers<T>(
  items: Iterable<T>,
  test: (item: T) => boolean | Promise<boolean>,
  options?: FiberListOptions,
): Promise<T[]> {
  return runEach("filterFibers", items, test, options, (list, kept) => list.filter((_, i) => kept[i]));
}

/**
 * Calls `fn` for each item in a separate fiber, like {@linkcode mapFibers}.
 *
 * @typeParam T The type of an item.
 * @param items The items.
 * @param fn Called with an item. Its result is awaited and discarded.
 * @param options The maximum number of fibers.
 * @throws {TypeError} If an argument has the wrong type.
 * @throws {RangeError} If `maxFibers` is neither an integer >= 1 nor `Infinity`.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example A fiber per item
 * ```ts
 * import { forEachFiber } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const seen: number[] = [];
 * await forEachFiber([1, 2, 3], (n) => seen.push(n), { maxFibers: 1 });
 * assertEquals(seen, [1, 2, 3]);
 * ```
 */
export function forEachFiber<T>(
  items: Iterable<T>,
  fn: (item: T) => unknown,
  options?: FiberListOptions,
): Promise<void> {
  return runEach("forEachFiber", items, fn, options, () => {});
}
