// Copyright 2026 the Sluice authors. MIT license.

import { describe, follow, isAborted, isPromise, isSignal, onAbort } from "../../base/internal.ts";
import { interruptible } from "../../switch/internal.ts";

/** How a stop promise settled. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** Follows a stop promise or signal. */
export interface StopWatch<T> {
  /** How it has settled, if it has. */
  settled(): Outcome<T> | undefined;
  /** Waits until it settles. */
  wait(): Promise<Outcome<T>>;
  /** Stops listening. */
  forget(): void;
}

/** Follows `stop`; without it, the watch waits until it is cancelled. */
export function watchStop<T>(stop: Promise<T> | AbortSignal | undefined): StopWatch<T> {
  const signal = isSignal(stop) ? stop : undefined;
  const promise = signal === undefined ? stop as Promise<T> | undefined : undefined;
  if (promise !== undefined && !isPromise(promise)) {
    throw new TypeError(
      `Cannot run server as stop must be a promise or an AbortSignal: current value is ${describe(stop)}`,
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
