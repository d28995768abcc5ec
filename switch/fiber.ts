// Copyright 2026 the Sluice authors. MIT license.

/** Fibers, and the combinators that start several and wait for all of them. */
import {
  checkFunction,
  checkOptions,
  checkWhole,
  describe,
  follow,
  isInstance,
  isIterable,
  open,
  rejectionOf,
  throwLater,
} from "../base/internal.ts";
import { withCallerFrames } from "./_caller_frames.ts";
import { runIn } from "./_scope.ts";
import { endForgotten } from "./_forgotten.ts";
import { currentScope, failureIn, Scope } from "./_scope.ts";
import { awaitCancel } from "./cancel.ts";
import { Cancelled, Failures, noLongerNeeded } from "./errors.ts";

/** Receiver of how a fiber ended. One may serve many fibers. */
export interface FiberEnd<T> {
  value(value: T): void;
  error(error: unknown): void;
}

/**
 * Starts a fiber in `parent`: calls `fn` at once, up to its first `await`. Only a synchronous throw
 * ends it before this function returns.
 *
 * It waits for what `fn` returns as `await` does, but without the frame of an async function, which
 * would be a third of what a fiber keeps in memory.
 */
export function startFiber<T>(parent: Scope, kind: string, fn: () => T | Promise<T>, end: FiberEnd<T>): void {
  const scope = new Scope(parent, kind);
  open.fibers++;
  const failed = (error: unknown) => {
    const failure = failureIn(scope, error);
    if (scope.hasForgotten) endForgotten(scope, failure).then((failures) => fail(scope, end, failures.error));
    else fail(scope, end, failure);
  };
  const succeeded = (value: T) => {
    if (scope.hasForgotten) endForgotten(scope).then((failures) => succeed(scope, end, value, failures));
    else succeed(scope, end, value);
  };
  try {
    runIn(scope, callAndFollow<T>, fn, succeeded, failed);
  } catch (error) {
    failed(error);
  }
}

/**
 * All in the context of the fiber: what waits keeps the one in which it was told to, and that after
 * it would be another.
 */
function callAndFollow<T>(fn: () => T | Promise<T>, succeeded: (value: T) => void, failed: (error: unknown) => void) {
  follow(fn(), succeeded, failed);
}

function succeed<T>(scope: Scope, end: FiberEnd<T>, value: T, failures?: Failures): void {
  if (failures?.any) return fail(scope, end, failures.error);
  open.fibers--;
  scope.finish();
  end.value(value);
}

function fail(scope: Scope, end: FiberEnd<never>, error: unknown): void {
  open.fibers--;
  scope.finish();
  end.error(error);
}

/**
 * Starts one more branch, unless the scope is cancelled already. A throw in it, or in `onValue`,
 * cancels all.
 */
type StartBranch = <T>(fn: () => T | Promise<T>, onValue: (value: T) => void) => void;

/** Takes an operation for a branch. It was begun in the scope itself, and so needs no fiber. */
type FollowBranch = <T>(operation: Promise<T>, onValue: (value: T) => void) => void;

/**
 * Runs branches beside each other in one scope of their own, waits for all, and returns what
 * `result` then makes of them, or `recover` of what failed. A branch that is cancelled after the
 * scope was is no failure; `result` throws the scope's reason where it misses something.
 */
export function branches<R>(
  kind: string,
  begin: (start: StartBranch, scope: Scope, follow: FollowBranch) => void,
  result: (scope: Scope) => R,
  recover: (error: unknown) => R | Promise<R> = rethrow,
): Promise<R> {
  const parent = currentScope();
  if (parent?.reason !== undefined) return parent.refuse();
  const scope = new Scope(parent, kind);
  return scope.outcome = new Promise<R>((resolve) => {
    let failures: Failures | undefined;
    let running = 1; // one for `begin` itself
    const ended = () => {
      if (--running > 0) return;
      scope.finish();
      try {
        resolve(failures === undefined ? result(scope) : recover(failures.error));
      } catch (error) {
        resolve(failLater(error));
      }
    };
    const failed = (error: unknown) => {
      fail(error);
      ended();
    };
    const fail = (error: unknown) => {
      if (isInstance(error, Cancelled) && scope.reason !== undefined) return;
      (failures ??= new Failures()).add(error);
      if (scope.reason === undefined) scope.cancel(isInstance(error, Cancelled) ? error : new Cancelled(error));
    };
    const gave = <T>(onValue: (value: T) => void) => (value: T) => {
      try {
        onValue(value);
      } catch (error) {
        fail(error);
      }
      ended();
    };
    begin(
      (fn, onValue) => {
        if (scope.reason !== undefined) return;
        running++;
        startFiber(scope, "fiber", fn, { value: gave(onValue), error: failed });
      },
      scope,
      (operation, onValue) => {
        running++;
        operation.then(gave(onValue), failed);
      },
    );
    ended();
  });
}

/** What a fiber threw has no frames of the code that awaits all of them: they are added. */
function failLater(error: unknown): Promise<never> {
  if (isInstance(error, Cancelled)) return Promise.reject(error);
  const make = () => withCallerFrames(error, make);
  return throwLater(make);
}

function rethrow(error: unknown): never {
  throw error;
}

/** What each function of a tuple returns, once awaited. */
export type Results<F extends readonly (() => unknown)[]> = { -readonly [K in keyof F]: Awaited<ReturnType<F[K]>> };

/**
 * Runs all functions beside each other and waits for all of them. The first throw cancels the
 * others; when every one has ended, what failed is thrown. Each function is called at once, up to
 * its first `await`; after a synchronous throw the rest are not started.
 *
 * @typeParam F The functions.
 * @param fns What to run. An empty list returns an empty list.
 * @returns What each returned, in the order of `fns`.
 * @throws {TypeError} When a member is not a function; nothing is started then.
 * @throws {Cancelled} When the current scope is cancelled; nothing is started if it was so before.
 * @throws {MultipleErrors} When several fail. A single failure is thrown as it is.
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
 * @typeParam A What `f` returns.
 * @typeParam B What `g` returns.
 * @param f The first function.
 * @param g The second function.
 * @returns What both returned.
 * @throws {Cancelled} When the current scope is cancelled.
 * @throws {MultipleErrors} When both fail. A single failure is thrown as it is.
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

/** Options for {@linkcode first} and {@linkcode any}. */
export interface AnyOptions<T> {
  /**
   * Makes one value of two, where a second branch succeeded although it was told to stop, so that
   * no value is lost.
   *
   * @default {(earlier) => earlier}
   */
  combine?: ((earlier: T, later: T) => T) | undefined;
}

/**
 * Runs all functions beside each other; the first to return a value wins. The others are cancelled
 * and awaited. Any real throw wins over values, even one that comes after another branch succeeded;
 * a loser's {@linkcode Cancelled} is ignored.
 *
 * @typeParam T What the functions return.
 * @param fns What to run. An empty list waits until cancelled.
 * @param options What to do with a second value.
 * @returns The first value, or what `combine` made of several. A value that is there is returned
 * even if the current scope was cancelled meanwhile.
 * @throws {TypeError} When a member or `combine` is not a function; nothing is started then.
 * @throws {Cancelled} When the current scope is cancelled before there is a value.
 * @throws {MultipleErrors} When several fail. A single failure is thrown as it is.
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
  return raceFor("any", options, () => checkFunctions("run any", fns, "any([f, g])"));
}

function raceFor<T>(
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
 * @typeParam A What `f` returns.
 * @typeParam B What `g` returns.
 * @param f The first function.
 * @param g The second function.
 * @param options What to do with a second value.
 * @returns The first value.
 * @throws {Cancelled} When the current scope is cancelled before there is a value.
 * @throws {MultipleErrors} When both fail. A single failure is thrown as it is.
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
  return raceFor<A | B>("first", options, () => {
    checkTwo("first", f, g);
    return [f, g];
  });
}

/**
 * Like {@linkcode any}, but returns every value that there was, in order of completion, so that
 * none is lost.
 *
 * @typeParam T What the functions return.
 * @param fns What to run. An empty list waits until cancelled.
 * @returns At least one value.
 * @throws {TypeError} When a member is not a function; nothing is started then.
 * @throws {Cancelled} When the current scope is cancelled before there is a value.
 * @throws {MultipleErrors} When several fail. A single failure is thrown as it is.
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
 * Runs `fns` until one returns a value, and returns what `pick` picks of what `keep` kept: at least
 * one value.
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

/** Throws `TypeError` unless `fns` is an array of functions. Returns them as they were judged: each is read once. */
function checkFunctions<T>(
  action: string,
  fns: readonly (() => T | Promise<T>)[],
  example: string,
): readonly (() => T | Promise<T>)[] {
  if (!Array.isArray(fns)) {
    const wrong = `current value is ${describe(fns)}`;
    throw new TypeError(`Cannot ${action} as its functions must be in an array, like ${example}: ${wrong}`);
  }
  const list: (() => T | Promise<T>)[] = [];
  for (let i = 0; i < fns.length; i++) { // by number, for a program can give it an iterator
    const fn = fns[i] as () => T | Promise<T>;
    checkFunction(action, fn);
    list.push(fn);
  }
  return list;
}

function checkTwo(kind: "both" | "first", f: unknown, g: unknown): void {
  if (Array.isArray(f)) {
    const other = kind === "both" ? "all" : "any";
    throw new TypeError(`Cannot run ${kind} of an array: it takes two functions, and ${other} takes an array`);
  }
  checkFunction(`run ${kind}`, f);
  checkFunction(`run ${kind}`, g);
}

/** Options for {@linkcode mapFibers}, {@linkcode filterFibers} and {@linkcode forEachFiber}. */
export interface FiberListOptions {
  /**
   * How many fibers may run at once: a whole number of at least 1, or `Infinity`.
   *
   * @default {Infinity}
   */
  maxFibers?: number | undefined;
}

/**
 * Maps each item in a fiber of its own, at most `maxFibers` at once. The first throw cancels the
 * others and starts no more.
 *
 * @typeParam T An item.
 * @typeParam R What an item is mapped to.
 * @param items What to map. Read to its end before the first fiber starts.
 * @param fn Maps one item.
 * @param options How many fibers may run at once.
 * @returns The results, in the order of `items`.
 * @throws {RangeError} When `maxFibers` is not a whole number of at least 1 or `Infinity`; nothing
 * is started then.
 * @throws {Cancelled} When the current scope is cancelled.
 * @throws {MultipleErrors} When several fail. A single failure is thrown as it is.
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

/** Runs a fiber for each item, and returns what `pick` makes of the items and the results. */
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
 * Keeps the items for which `test`, run in a fiber for each, returns true. As {@linkcode mapFibers}
 * otherwise.
 *
 * @typeParam T An item.
 * @param items What to choose from.
 * @param test Whether to keep one item.
 * @param options How many fibers may run at once.
 * @returns The items kept, in the order of `items`.
 * @throws {RangeError} When `maxFibers` is not a whole number of at least 1 or `Infinity`.
 * @throws {Cancelled} When the current scope is cancelled.
 *
 * @example Keeping what answers
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
 * Calls `fn` for each item, in a fiber of its own. As {@linkcode mapFibers} otherwise.
 *
 * @typeParam T An item.
 * @param items What to go through.
 * @param fn What to do with one item. What it returns is awaited and dropped.
 * @param options How many fibers may run at once.
 * @throws {RangeError} When `maxFibers` is not a whole number of at least 1 or `Infinity`.
 * @throws {Cancelled} When the current scope is cancelled.
 *
 * @example One fiber for each
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
