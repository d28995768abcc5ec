// Copyright 2026 the Sluice authors. MIT license.

/**
 * Fibers, and the branches of combinators: fibers that run concurrently and are awaited together.
 */
import { checkFunction, describe, follow, isInstance, open, throwLater, withCallerFrames } from "../base/internal.ts";
import { currentScope, endForgotten, failureIn, runIn, Scope } from "./_scope.ts";
import { Cancelled, cancelledBy, Failures } from "./errors.ts";

/** Receiver of the outcome of fibers. */
export interface FiberEnd<T> {
  value(value: T): void;
  error(error: unknown): void;
}

/**
 * Starts a fiber in `parent`: calls `fn` synchronously, up to its first `await`. Only a synchronous
 * throw ends the fiber before this function returns.
 *
 * It waits for the result of `fn` without an async function: its frame would take a third of the
 * memory of a fiber.
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
 * Calls `fn` and follows its result, in the context of the fiber: a callback of a promise runs in
 * the context in which it was added.
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
 * Starts a branch, unless the scope is cancelled. An error of `fn` or `onValue` cancels all
 * branches.
 */
type StartBranch = <T>(fn: () => T | Promise<T>, onValue: (value: T) => void) => void;

/** Adds a branch for an operation that has begun in the scope. It needs no fiber. */
type FollowBranch = <T>(operation: Promise<T>, onValue: (value: T) => void) => void;

/**
 * Runs branches concurrently in a new scope, waits for all of them, and returns the value of
 * `result`, or of `recover` if any failed. A branch that is cancelled with its scope does not count
 * as failed; `result` throws the scope's reason if a value is missing.
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
    let running = 1; // counts `begin` too
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
      addFailure(error);
      ended();
    };
    const addFailure = (error: unknown) => {
      if (isInstance(error, Cancelled) && scope.reason !== undefined) return;
      (failures ??= new Failures()).add(error);
      if (scope.reason === undefined) scope.cancel(isInstance(error, Cancelled) ? error : cancelledBy(error));
    };
    const succeeded = <T>(onValue: (value: T) => void) => (value: T) => {
      try {
        onValue(value);
      } catch (error) {
        addFailure(error);
      }
      ended();
    };
    begin(
      (fn, onValue) => {
        if (scope.reason !== undefined) return;
        running++;
        startFiber(scope, "fiber", fn, { value: succeeded(onValue), error: failed });
      },
      scope,
      (operation, onValue) => {
        running++;
        operation.then(succeeded(onValue), failed);
      },
    );
    ended();
  });
}

/**
 * Rejects with an error of a fiber, after adding the frames of the code that awaits the branches.
 */
function failLater(error: unknown): Promise<never> {
  if (isInstance(error, Cancelled)) return Promise.reject(error);
  const make = () => withCallerFrames(error, make);
  return throwLater(make);
}

function rethrow(error: unknown): never {
  throw error;
}

/** Throws `TypeError` unless `fns` is an array of functions. Returns a copy: each is read once. */
export function checkFunctions<T>(
  action: string,
  fns: readonly (() => T | Promise<T>)[],
  example: string,
): readonly (() => T | Promise<T>)[] {
  if (!Array.isArray(fns)) {
    const wrong = `current value is ${describe(fns)}`;
    throw new TypeError(`Cannot ${action} as its functions must be in an array, like ${example}: ${wrong}`);
  }
  const list: (() => T | Promise<T>)[] = [];
  for (let i = 0; i < fns.length; i++) { // by index, because a program can replace the iterator
    const fn = fns[i] as () => T | Promise<T>;
    checkFunction(action, fn);
    list.push(fn);
  }
  return list;
}

/** Throws `TypeError` unless `f` and `g` are functions. */
export function checkTwo(kind: "both" | "first", f: unknown, g: unknown): void {
  if (Array.isArray(f)) {
    const other = kind === "both" ? "all" : "any";
    throw new TypeError(`Cannot run ${kind} of an array: it takes two functions, and ${other} takes an array`);
  }
  checkFunction(`run ${kind}`, f);
  checkFunction(`run ${kind}`, g);
}
