// Copyright 2026 the Sluice authors. MIT license.

/**
 * Cancellation, as running code sees it: waiting for it, checking for it, and shielding from it.
 */
import { checkFunction, describe, follow, isPromise, rejectionOf } from "../base/internal.ts";
import { macrotask } from "./_context.ts";
import { currentScope, endForgotten, refused, runIn, Scope } from "./_scope.ts";
import { Waiter } from "./_waiter.ts";

/**
 * Waits until the current scope is cancelled, and then rejects with {@linkcode Cancelled}. Outside
 * any switch it waits forever.
 *
 * @returns A promise that is never fulfilled.
 * @throws {Cancelled} If the current scope is cancelled, now or later.
 *
 * @example A branch that ends with the other branch
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
 * Yields to the event loop: lets all other code that is ready run, pending input included. It takes
 * a macrotask, so that a loop that yields does not starve I/O.
 *
 * @returns A promise that is fulfilled in a later turn of the event loop.
 * @throws {Cancelled} If the current scope is cancelled, now or meanwhile.
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

/** Does what {@linkcode yieldNow} does, in a scope that is not cancelled. */
export function yieldIn(scope: Scope | undefined): Promise<void> {
  const waiter: Waiter<void> = new Waiter(
    "yieldNow",
    (_, reason) => {
      clear();
      waiter.reject(reason);
    },
    undefined,
    scope,
  );
  const clear = macrotask(() => waiter.resolve());
  return waiter.promise;
}

/**
 * Throws if the current scope is cancelled, for use in long computations. It takes a few
 * nanoseconds and allocates no memory.
 *
 * @throws {Cancelled} If the current scope is cancelled.
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
 * Reports whether the current scope is cancelled. Outside any switch it returns false.
 *
 * @returns Whether the next operation would throw {@linkcode Cancelled}.
 *
 * @example Checking without throwing
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
 * Returns an `AbortSignal` for foreign code such as `fetch`, which is aborted when the current
 * scope is cancelled, with the {@linkcode Cancelled} as its reason. It is not aborted after that
 * scope has ended, and never if there is no switch around the caller.
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
 * Runs `fn` shielded from cancellation of the current scope, and returns its value. It starts even
 * in a cancelled scope. The next operation after it throws {@linkcode Cancelled} as usual.
 *
 * @typeParam T The type of the value.
 * @param fn The function that must not be interrupted. Called synchronously.
 * @returns The value of `fn`.
 * @throws {TypeError} If `fn` is not a function.
 * @throws {unknown} What `fn` throws.
 *
 * @example A commit that always completes
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

/** The waiters of a foreign promise, which has only one reaction, for all of them. */
interface Reaction {
  readonly target: Promise<unknown>;
  readonly waiters: Set<Waiter<unknown>>;
  settled: boolean;
}

const reactions: WeakMap<Promise<unknown>, Reaction> = new WeakMap();

/**
 * Waits for a foreign promise, until the current scope is cancelled: cancelling ends the wait, not
 * the work behind the promise. A promise that is settled when the scope is cancelled wins. Repeated
 * waits on a long-lived promise do not leak memory.
 *
 * If the foreign code accepts an `AbortSignal`, prefer {@linkcode currentSignal}, which stops the
 * work too.
 *
 * @typeParam T The type of the value of the promise.
 * @param promise The promise. Its rejection counts as handled, even if the wait has ended.
 * @returns The value of `promise`.
 * @throws {TypeError} If `promise` is not a promise.
 * @throws {Cancelled} If the current scope is cancelled first.
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
  // Before the check, because the rejection of a promise counts as handled even if the wait is
  // refused.
  let reaction: Reaction;
  try {
    reaction = reactions.get(promise) ?? react(promise);
  } catch (error) {
    return Promise.reject(error); // a program has set another constructor on the promise
  }
  const refusal = refused();
  if (refusal !== undefined) return refusal;
  if (reaction.settled) return reaction.target as Promise<T>;
  const waiter: Waiter<unknown> = new Waiter("interruptible", (_, reason) => {
    // A microtask later, so that a promise that is settled already, whose reaction is queued, wins.
    queueMicrotask(() => {
      reaction.waiters.delete(waiter);
      waiter.reject(reason);
    });
  });
  reaction.waiters.add(waiter);
  return waiter.promise as Promise<T>;
}

function react(promise: Promise<unknown>): Reaction {
  // The key is `promise`, not the target: for a subclass or another thenable the target is new each
  // time.
  const reaction: Reaction = { target: Promise.resolve(promise), waiters: new Set(), settled: false };
  reactions.set(promise, reaction);
  const settle = (wake: (waiter: Waiter<unknown>) => void) => {
    reaction.settled = true;
    const waiters = [...reaction.waiters];
    reaction.waiters.clear();
    waiters.forEach(wake);
  };
  follow(
    reaction.target,
    (value) => settle((waiter) => waiter.resolve(value)),
    (error) => settle((waiter) => waiter.reject(error)),
  );
  return reaction;
}
