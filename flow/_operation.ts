// Copyright 2026 the Sluice authors. MIT license.

import { isInstance, isOfKind, withCallerFrames } from "../base/internal.ts";
import { MultipleErrors } from "../switch/internal.ts";

/**
 * Runs an operation of several steps. If its caller forgot to await it, being cancelled, or losing
 * its flow to a close of this side, is not an unhandled rejection: the scope that ended is no
 * longer interested. Any other error still is one, and has the frames of the caller on its stack.
 *
 * A plain `promise.catch(() => {})` would do that too, but V8 follows only promises with a single
 * reaction when it looks for those frames.
 *
 * @param run An asynchronous function: it throws nothing at once.
 */
export function operation<T>(run: () => Promise<T>): Promise<T> {
  const failed = (error: unknown): never => {
    const failure = withCallerFrames(error, failed); // before a second reaction hides who awaits
    if (isSilent(failure)) promise.catch(ignore);
    throw failure;
  };
  const promise: Promise<T> = run().then(undefined, failed); // no async function, whose frame an idle connection would keep
  return promise;
}

/**
 * `promise.then(then)`, for an operation of one step that should not make the frame of an async
 * function: with {@linkcode operation}'s rule for a caller who forgot to await it.
 */
export function silenced<T, R>(promise: Promise<T>, then: (value: T) => R | Promise<R>): Promise<R> {
  const result: Promise<R> = promise.then(then, (error) => {
    if (isSilent(error)) result.catch(ignore);
    throw error;
  });
  return result;
}

/** A rejection that is not unhandled where its operation was not awaited, if `error` allows that. */
export function rejection(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  if (isSilent(error)) promise.catch(ignore);
  return promise;
}

/** Errors of other types that say the same: that what the operation was for has ended. */
const silentErrors: WeakSet<Error> = new WeakSet();

/** Makes `error` one that is not reported if nothing awaits the operation. */
export function silent<E extends Error>(error: E): E {
  silentErrors.add(error);
  return error;
}

/** Whether the failure of an operation that nothing awaits is not to be reported. */
export function isSilent(error: unknown): boolean {
  if (isInstance(error, MultipleErrors)) return error.errors.every(isSilent);
  if (isOfKind(error, "Cancelled") || isOfKind(error, "ClosedError")) return true;
  return isInstance(error, TypeError) && silentErrors.has(error);
}

/** Handles a rejection by ignoring it. */
export function ignore(): void {}
