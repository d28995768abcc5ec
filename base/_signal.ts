// Copyright 2026 the Sluice authors. MIT license.

/**
 * Reads abort signals through the platform's getters and methods, captured when this module loads,
 * so that properties that a program sets on a signal have no effect.
 */

type Getter = (this: unknown) => unknown;

const signalPrototype: AbortSignal = AbortSignal.prototype;
const abortedGetter: Getter = getter("aborted");
const reasonGetter: Getter = getter("reason");
const { addEventListener, removeEventListener } = EventTarget.prototype;

/** Reports whether `value` is a real `AbortSignal`, not an object that merely inherits from it. */
export function isSignal(value: unknown): value is AbortSignal {
  try {
    return typeof abortedGetter.call(value) === "boolean";
  } catch {
    return false;
  }
}

/** Reports whether `signal` is aborted. */
export function isAborted(signal: AbortSignal): boolean {
  return abortedGetter.call(signal) === true;
}

/** Returns the reason of `signal`. */
export function reasonOf(signal: AbortSignal): unknown {
  return reasonGetter.call(signal);
}

/** Calls `fn` when `signal` is aborted. Returns a function that removes the listener. */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  const aborted = () => {
    if (isAborted(signal)) fn(); // a program can dispatch an "abort" event itself
  };
  addEventListener.call(signal, "abort", aborted);
  return () => removeEventListener.call(signal, "abort", aborted);
}

function getter(key: "aborted" | "reason"): Getter {
  return Object.getOwnPropertyDescriptor(signalPrototype, key)?.get as Getter;
}
