// Copyright 2026 the Sluice authors. MIT license.

/**
 * Throws what `make` makes, two microtasks later. Resolve a promise with the promise that this
 * returns to reject it with an error that is made in an async continuation of the awaiting code:
 * V8 then puts the frames of that code on the stack of the error. An error made in the callback of
 * a socket or a timer has none.
 *
 * @param made Called between making the error and throwing it.
 */
export async function throwLater(make: () => unknown, made?: () => void): Promise<never> {
  await null; // the promise that is resolved with this one adopts it in a microtask of its own
  await null;
  const error = make();
  made?.();
  throw error;
}

/**
 * Gives `error` the stack of the running code, where the engine can, if it was made where there was
 * none of the caller.
 */
export function retrace<E>(error: E): E {
  (Error as { captureStackTrace?: (error: E) => void }).captureStackTrace?.(error);
  return error;
}
