// Copyright 2026 the Sluice authors. MIT license.

import { isInstance, isOfKind, withCallerFrames } from "../base/internal.ts";
import { MultipleErrors } from "../switch/internal.ts";

/**
 * Runs an operation of several steps. If it is not awaited, a silent error, such as its
 * cancellation, counts as handled: see {@linkcode isSilent}. Any other error is an unhandled
 * rejection, whose stack has the frames of the caller.
 *
 * `promise.catch(() => {})` is not enough: V8 looks for those frames only along promises with a
 * single reaction.
 *
 * @param run An asynchronous function. It must not throw synchronously.
 * @param failure Returns the error to throw instead of that of `run`.
 */
export function operation<T>(run: () => Promise<T>, failure?: (error: unknown) => unknown): Promise<T> {
  const failed = (error: unknown): never => {
    const thrown = failure === undefined ? error : failure(error);
    const framed = withCallerFrames(thrown, failed); // before a second reaction hides the awaiting code
    if (isSilent(framed)) promise.catch(ignore);
    throw framed;
  };
  // not an async function: an idle connection would keep its frame
  const promise: Promise<T> = run().then(undefined, failed);
  return promise;
}

/**
 * Returns `promise.then(then)`, with the rule of {@linkcode operation} for silent errors: an
 * operation of one step, which needs no frame of an async function.
 *
 * @param failure Returns the error to throw instead of that of `promise`.
 */
export function silenced<T, R>(
  promise: Promise<T>,
  then: (value: T) => R | Promise<R>,
  failure?: (error: unknown) => unknown,
): Promise<R> {
  const result: Promise<R> = promise.then(then, (error) => {
    const thrown = failure === undefined ? error : failure(error);
    if (isSilent(thrown)) result.catch(ignore);
    throw thrown;
  });
  return result;
}

/** Returns a rejection, which is not reported as unhandled if `error` is silent. */
export function rejection(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  if (isSilent(error)) promise.catch(ignore);
  return promise;
}

/** Errors of other types that {@linkcode silent} has marked. */
const silentErrors: WeakSet<Error> = new WeakSet();

/** Marks `error` as silent: see {@linkcode isSilent}. */
export function silent<E extends Error>(error: E): E {
  silentErrors.add(error);
  return error;
}

/**
 * Reports whether `error` says that this side has ended the operation, by cancelling or closing. As
 * the rejection of an operation that is not awaited, such an error counts as handled.
 */
export function isSilent(error: unknown): boolean {
  if (isInstance(error, MultipleErrors)) return error.errors.every(isSilent);
  if (isOfKind(error, "Cancelled") || isOfKind(error, "ClosedError")) return true;
  return isInstance(error, Error) && silentErrors.has(error);
}

/** Handles a rejection by ignoring it. */
export function ignore(): void {}

/** Returns its argument. */
export function same<T>(value: T): T {
  return value;
}
