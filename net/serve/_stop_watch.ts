// Copyright 2026 the Sluice authors. MIT license.

import { describe, follow, isAborted, isPromise, isSignal, onAbort } from "../../base/internal.ts";
import { interruptible } from "../../switch/internal.ts";

/** The outcome of a stop promise. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** Observes a stop promise or signal. */
export interface StopWatch<T> {
  /** Returns the outcome, if it has settled. */
  settled(): Outcome<T> | undefined;
  /** Waits for the outcome. */
  wait(): Promise<Outcome<T>>;
  /** Removes the signal's listener. */
  forget(): void;
}

/**
 * Observes `stop`; without it, `wait` lasts until it is cancelled.
 *
 * @param action What the caller does, for errors.
 */
export function watchStop<T>(action: string, stop: Promise<T> | AbortSignal | undefined): StopWatch<T> {
  const signal = isSignal(stop) ? stop : undefined;
  const promise = signal === undefined ? stop as Promise<T> | undefined : undefined;
  if (promise !== undefined && !isPromise(promise)) {
    throw new TypeError(
      `Cannot ${action} as stop must be a promise or an AbortSignal: current value is ${describe(stop)}`,
    );
  }
  let outcome: Outcome<T> | undefined;
  let wake = (_: Outcome<T>): void => {};
  const waiting = new Promise<Outcome<T>>((resolve) => wake = resolve);
  const settle = (given: Outcome<T>) => wake(outcome = given);
  const aborted = () => settle({ value: undefined as T });
  if (signal !== undefined && isAborted(signal)) aborted();
  const forget = signal === undefined ? () => {} : onAbort(signal, aborted);
  if (promise !== undefined) follow(promise, (value) => settle({ value }), (error) => settle({ error }));
  return {
    settled: () => outcome,
    wait: () => interruptible(waiting),
    forget,
  };
}
