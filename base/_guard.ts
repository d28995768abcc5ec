// Copyright 2026 the Sluice authors. MIT license.

/**
 * Wraps a callback for the runtime so that it never throws: an exception would end the process or
 * be lost. `failed` receives what `action` throws, to fail the one socket concerned. Exceptions of
 * `failed` are ignored.
 *
 * @param action The callback, which gets the runtime's `this` and at most two arguments.
 * @param failed Called with the error and the callback's first argument.
 */
export function guard<T, A, B>(
  action: (this: T, a: A, b: B) => unknown,
  failed: (this: T, error: unknown, a: A) => unknown,
): (this: T, a?: A, b?: B) => void {
  return function (a, b) {
    try {
      action.call(this, a as A, b as B);
    } catch (error) {
      try {
        failed.call(this, error, a as A);
      } catch {
        // Nothing is left to report it to.
      }
    }
  };
}

/** Calls `action` now, guarded as by {@linkcode guard}. */
export function attempt(action: () => unknown, failed: (error: unknown) => unknown): void {
  guard(action, failed)();
}
