// Copyright 2026 the Sluice authors. MIT license.

/**
 * Makes a callback for a runtime. An exception that left it would end the process, or be lost, so
 * `failed` gets what `action` throws, and fails the one socket that the callback is for. What
 * `failed` throws itself is dropped: nothing is left that could be told.
 *
 * @param action What the callback does. It gets the `this` of the runtime and at most two arguments.
 * @param failed Called with the error and the first argument.
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
        // Said above.
      }
    }
  };
}

/** Does at once what {@linkcode guard} makes a callback of. */
export function attempt(action: () => unknown, failed: (error: unknown) => unknown): void {
  guard(action, failed)();
}
