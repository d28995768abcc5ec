// Copyright 2026 the Sluice authors. MIT license.

/** Stack traces with the frames of the caller, on V8. Other engines show none of them. */
import { isInstance } from "./_check.ts";
import { isOfKind } from "./_kind.ts";

/** V8's `Error.captureStackTrace`, which not every runtime's types declare. */
type Capture = (target: object, above?: unknown) => void;

/** How often frames are added to one error. A program may throw the same error for ever. */
const mostAdditions = 16;
const additions = new WeakMap<Error, number>();

/** The file and line of a stack frame. */
const location = /([^\s(]+:\d+):\d+\)?$/;

/**
 * Throws what `make` returns, two microtasks later. Resolve a promise with the returned one: the
 * error is then made in an async continuation of the code that awaits that promise, so V8 adds the
 * frames of that code to its stack. An error made in a callback of a socket or a timer has no such
 * frames.
 *
 * @param made Called after the error is made and before it is thrown.
 */
export async function throwLater(make: () => unknown, made?: () => void): Promise<never> {
  await null; // a promise that is resolved with this one adopts it in a microtask
  await null;
  const error = make();
  made?.();
  throw error;
}

/**
 * Sets how many frames a new error gets, where the runtime lets a program do so. Returns the number
 * before. An error without frames is made in a tenth of the time on V8.
 */
export function setFrameLimit(limit: number | undefined): number | undefined {
  const { stackTraceLimit } = Error as { readonly stackTraceLimit?: number };
  Reflect.set(Error, "stackTraceLimit", limit); // an assignment would throw if `Error` is frozen
  return stackTraceLimit;
}

/** Replaces the stack of `error` by that of the running code, on V8. */
export function retrace<E>(error: E): E {
  (Error as { captureStackTrace?: (error: E) => void }).captureStackTrace?.(error);
  return error;
}

/**
 * Appends the frames of the code that awaits the running function `operation` to the stack of
 * `error`. They are missing from an error of a fiber, for which the engine knows only the frames of
 * the fiber, or if the stack limit was exceeded.
 *
 * Formatting a stack takes about 100 microseconds, so it is deferred until the stack is read, if
 * possible.
 *
 * A `Cancelled` is unchanged: everything that its scope cancelled shares it. So is an error that
 * has been here many times.
 *
 * @returns The same error.
 */
export function withCallerFrames(error: unknown, operation?: unknown): unknown {
  const capture = (Error as unknown as { readonly captureStackTrace?: Capture }).captureStackTrace;
  if (capture === undefined || isOfKind(error, "Cancelled") || !isInstance(error, Error)) return error;
  try {
    const own = Reflect.getOwnPropertyDescriptor(error, "stack");
    const count = additions.get(error) ?? 0;
    if (own?.configurable !== true || count === mostAdditions) return error;
    additions.set(error, count + 1);
    const here: { stack?: unknown } = {};
    capture(here, operation);
    const { get } = own;
    if (get === undefined) setHidden(error, "stack", joinStacks(own.value, here.stack));
    else {
      Reflect.defineProperty(error, "stack", {
        get: () => joinStacks(get.call(error), here.stack),
        set: (stack) => setHidden(error, "stack", stack),
        configurable: true,
      });
    }
  } catch {
    // An error that cannot be inspected or changed is thrown unchanged.
  }
  return error;
}

/** Replaces a property of an error that enumeration leaves out. */
export function setHidden(error: Error, key: "message" | "stack", value: unknown): void {
  Reflect.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}

/** Appends to one stack the frames of another that it lacks. */
function joinStacks(stack: unknown, other: unknown): unknown {
  if (typeof stack !== "string" || typeof other !== "string") return stack;
  const missing = other.split("\n").filter((frame) => {
    const at = location.exec(frame)?.[1];
    return at !== undefined && !stack.includes(`${at}:`);
  });
  return [stack, ...missing].join("\n");
}
