// Copyright 2026 the Sluice authors. MIT license.

// Captured when the module loads, in case a program replaces them later.
const PlatformPromise: PromiseConstructor = Promise;
const { then } = PlatformPromise.prototype;

/**
 * Waits for `value` like `await`, but without an async frame, and ignores a `then` that a program
 * has set on a promise. Throws if a `constructor` that a program has set on one throws.
 */
export function follow<T>(
  value: T | PromiseLike<T>,
  onValue: (value: T) => void,
  onError: (error: unknown) => void,
): void {
  then.call(PlatformPromise.resolve(value), onValue as (value: unknown) => void, onError);
}
