// Copyright 2026 the Sluice authors. MIT license.

/**
 * Signals of a program. What a signal says is asked of the platform, whose getters and methods were taken when this
 * module was loaded, and not of the members that a program can give to an object.
 */

type Getter = (this: unknown) => unknown;

const signalPrototype: AbortSignal = AbortSignal.prototype;
const abortedGetter: Getter = getter("aborted");
const reasonGetter: Getter = getter("reason");
const { addEventListener, removeEventListener } = EventTarget.prototype;

/** Whether `value` is an `AbortSignal`, and no object that only inherits from it. */
export function isSignal(value: unknown): value is AbortSignal {
  try {
    return typeof abortedGetter.call(value) === "boolean";
  } catch {
    return false;
  }
}

/** Whether `signal` has been aborted. */
export function isAborted(signal: AbortSignal): boolean {
  return abortedGetter.call(signal) === true;
}

/** Why `signal` was aborted. */
export function reasonOf(signal: AbortSignal): unknown {
  return reasonGetter.call(signal);
}

/** Calls `fn` when `signal` is aborted, unless what is returned was called before. */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  const aborted = () => {
    if (isAborted(signal)) fn(); // a program can dispatch such an event itself
  };
  addEventListener.call(signal, "abort", aborted);
  return () => removeEventListener.call(signal, "abort", aborted);
}

function getter(key: "aborted" | "reason"): Getter {
  return Object.getOwnPropertyDescriptor(signalPrototype, key)?.get as Getter;
}
