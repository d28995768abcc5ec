// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../switch/check.ts";
import { Cancelled } from "../switch/errors.ts";
import { withCallerFrames } from "./caller_frames.ts";
import { ClosedError } from "./errors.ts";

/**
 * Runs an operation of several steps. If its caller forgot to await it, being cancelled, or losing
 * its flow to a close of this side, is not an unhandled rejection: the scope that ended is no
 * longer interested. Any other error still is one.
 *
 * A plain `promise.catch(() => {})` would do that too, but V8 follows only promises with a single
 * reaction when it looks for the frames of the caller.
 */
export function operation<T>(run: () => Promise<T>): Promise<T> {
  let promise: Promise<T> | undefined;
  let silent = false;
  const running = async () => {
    try {
      return await run();
    } catch (error) {
      const failure = withCallerFrames(error, running); // before a second reaction hides who awaits
      silent = isSilent(failure);
      if (silent) promise?.catch(ignore);
      throw failure;
    }
  };
  promise = running();
  if (silent) promise.catch(ignore); // it failed before there was a promise
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

/** Whether the failure of an operation that nobody awaits is not to be reported. */
export function isSilent(error: unknown): boolean {
  return isInstance(error, Cancelled) || isInstance(error, ClosedError);
}

/** Handles a rejection by ignoring it. */
export function ignore(): void {}
