// Copyright 2026 the Sluice authors. MIT license.

/** What code asks of, and does to, the scope it runs in. */
import { checkFunction, describe, follow, isPromise, rejectionOf } from "../base/internal.ts";
import { macrotask } from "./_context.ts";
import { runIn } from "./_scope.ts";
import { endForgotten } from "./_forgotten.ts";
import { currentScope, refused, Scope, Waiter } from "./_scope.ts";

/**
 * Waits until cancelled, and then rejects with {@linkcode Cancelled}. Outside any switch it waits
 * for ever.
 *
 * @returns A promise that is never fulfilled.
 * @throws {Cancelled} When the current scope is cancelled, now or later.
 *
 * @example A branch that only ends when the other one does
 * ```ts
 * import { awaitCancel, first } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await first(() => awaitCancel(), () => Promise.resolve(1)), 1);
 * ```
 */
export function awaitCancel(): Promise<never> {
  return refused() ?? new Waiter<never>("awaitCancel").promise;
}

/**
 * Lets everything else that is ready run, input included, and then goes on: a macrotask, so that a
 * yielding loop starves nothing.
 *
 * @returns A promise that is fulfilled in a later turn of the event loop.
 * @throws {Cancelled} When the current scope is cancelled, now or meanwhile.
 *
 * @example Sharing the thread
 * ```ts
 * import { yieldNow } from "@sluice/io";
 *
 * for (let i = 0; i < 3; i++) await yieldNow();
 * ```
 */
export function yieldNow(): Promise<void> {
  return refused() ?? yieldIn(currentScope());
}

/** {@linkcode yieldNow}, in a scope that is not cancelled. */
export function yieldIn(scope: Scope | undefined): Promise<void> {
  const waiter: Waiter<void> = new Waiter(
    "yieldNow",
    (_, reason) => {
      takeBack();
      waiter.reject(reason);
    },
    undefined,
    scope,
  );
  const takeBack = macrotask(() => waiter.resolve());
  return waiter.promise;
}

/**
 * Throws if the current scope is cancelled: the check for long computations. It costs some
 * nanoseconds and allocates nothing.
 *
 * @throws {Cancelled} When the current scope is cancelled.
 *
 * @example A loop that can be stopped
 * ```ts
 * import { checkCancelled } from "@sluice/io";
 *
 * for (let i = 0; i < 3; i++) checkCancelled();
 * ```
 */
export function checkCancelled(): void {
  const reason = currentScope()?.reason;
  if (reason !== undefined) throw reason;
}

/**
 * Whether the current scope is cancelled. Never true outside any switch.
 *
 * @returns Whether the next operation would be refused.
 *
 * @example Asking instead of throwing
 * ```ts
 * import { isCancelled } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isCancelled(), false);
 * ```
 */
export function isCancelled(): boolean {
  return currentScope()?.reason !== undefined;
}

/**
 * An `AbortSignal` that is aborted when the current scope is cancelled, for foreign code such as
 * `fetch`. Its reason is the {@linkcode Cancelled}. It belongs to the scope in which it was asked
 * for: once that scope has ended it is not aborted any more. Outside any switch it never is.
 *
 * @returns The signal of the current scope.
 *
 * @example Cancelling foreign code
 * ```ts
 * import { currentSignal, Switch } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * await Switch.run(() => assertEquals(currentSignal().aborted, false));
 * ```
 */
export function currentSignal(): AbortSignal {
  return currentScope()?.signal ?? new AbortController().signal;
}

/**
 * Runs `fn` shielded: cancelling the current scope does not reach it, and its value is delivered.
 * It also starts in a cancelled scope. The next operation after it is refused as usual.
 *
 * @typeParam T What `fn` returns.
 * @param fn What must not be interrupted. Called at once.
 * @returns What `fn` returns.
 * @throws {TypeError} When `fn` is not a function.
 *
 * @example A commit that is finished once begun
 * ```ts
 * import { protect, yieldNow } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await protect(async () => (await yieldNow(), "committed")), "committed");
 * ```
 */
export function protect<T>(fn: () => T | Promise<T>): Promise<T> {
  const problem = rejectionOf(() => checkFunction("protect", fn));
  if (problem !== undefined) return problem;
  const scope = new Scope(currentScope(), "protect", true);
  return scope.outcome = shielded(scope, fn);
}

async function shielded<T>(scope: Scope, fn: () => T | Promise<T>): Promise<T> {
  try {
    const value = await runIn(scope, fn);
    if (scope.hasForgotten) {
      const failures = await endForgotten(scope);
      if (failures.any) throw failures.error;
    }
    return value;
  } catch (error) {
    if (!scope.hasForgotten) throw error;
    throw (await endForgotten(scope, error)).error;
  } finally {
    scope.finish();
  }
}

/** What waits on one promise: the promise is hooked once, however often it is waited on. */
interface Hook {
  readonly target: Promise<unknown>;
  readonly waiters: Set<Waiter<unknown>>;
  settled: boolean;
}

const hooks: WeakMap<Promise<unknown>, Hook> = new WeakMap();

/**
 * Waits for a foreign promise, but not longer than the current scope lives: cancelling stops the
 * waiting, while the promise itself goes on. A promise that was settled when the cancellation came
 * wins. Waiting on one long-lived promise again and again leaks nothing.
 *
 * Where the foreign code takes an `AbortSignal`, {@linkcode currentSignal} is better: it stops the
 * work too.
 *
 * @typeParam T What the promise is fulfilled with.
 * @param promise What to wait for. Its rejection counts as handled, even if nothing waits any more.
 * @returns What `promise` is fulfilled with.
 * @throws {Cancelled} When the current scope is cancelled first.
 *
 * @example Waiting for a promise that may never settle
 * ```ts
 * import { first, interruptible } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const never = new Promise<string>(() => {});
 * assertEquals(await first(() => interruptible(never), () => Promise.resolve("on time")), "on time");
 * ```
 */
export function interruptible<T>(promise: Promise<T>): Promise<T> {
  if (!isPromise(promise)) {
    return Promise.reject(new TypeError(`Cannot wait for ${describe(promise)}: it is not a promise`));
  }
  // Before the check: what is refused is not waited for, and its rejection must count as handled
  // too.
  let hook: Hook;
  try {
    hook = hooks.get(promise) ?? hookInto(promise);
  } catch (error) {
    return Promise.reject(error); // a program has given the promise another constructor
  }
  const refusal = refused();
  if (refusal !== undefined) return refusal;
  if (hook.settled) return hook.target as Promise<T>;
  const waiter: Waiter<unknown> = new Waiter("interruptible", (_, reason) => {
    // One microtask later, so that a promise that is settled already, whose reaction is queued
    // before this, wins.
    queueMicrotask(() => {
      hook.waiters.delete(waiter);
      waiter.reject(reason);
    });
  });
  hook.waiters.add(waiter);
  return waiter.promise as Promise<T>;
}

function hookInto(promise: Promise<unknown>): Hook {
  // A subclass or another thenable is not its own target, so it is the key: otherwise every wait
  // would hook into it again.
  const hook: Hook = { target: Promise.resolve(promise), waiters: new Set(), settled: false };
  hooks.set(promise, hook);
  const settle = (wake: (waiter: Waiter<unknown>) => void) => {
    hook.settled = true;
    const waiters = [...hook.waiters];
    hook.waiters.clear();
    waiters.forEach(wake);
  };
  follow(
    hook.target,
    (value) => settle((waiter) => waiter.resolve(value)),
    (error) => settle((waiter) => waiter.reject(error)),
  );
  return hook;
}
