// Copyright 2026 the Sluice authors. MIT license.

/** The platform's own, whatever a program puts in their place later. */
const PlatformPromise: PromiseConstructor = Promise;
const { then } = PlatformPromise.prototype;

/**
 * Waits for `value` as `await` does, without a frame, and without a `then` that a program has put on a promise. Throws
 * what a `constructor` throws that a program has put on one.
 */
export function follow<T>(
  value: T | PromiseLike<T>,
  onValue: (value: T) => void,
  onError: (error: unknown) => void,
): void {
  then.call(PlatformPromise.resolve(value), onValue as (value: unknown) => void, onError);
}
