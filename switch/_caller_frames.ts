// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../base/internal.ts";
import { Cancelled } from "./errors.ts";

/** V8's own, of which not every runtime's types know. */
type Capture = (target: object, above: unknown) => void;

/** Where a frame is: the file and the line. */
const place = /([^\s(]+:\d+):\d+\)?$/;

/**
 * Adds to the stack of an error the frames of those who await the function `operation`, which is running, where they are
 * missing: because the error comes from a fiber, for which the engine knows no more than the frames of that, or because
 * there are more frames below than a stack shows. Engines other than V8 have no such frames to add.
 *
 * Making the text of a stack takes some 100 µs, so that is done when it is read, if the engine lets it be.
 *
 * A `Cancelled` is shared by all that its scope cancelled, and stays as it is.
 *
 * @returns The same error.
 */
export function withCallerFrames(error: unknown, operation?: unknown): unknown {
  const capture = (Error as unknown as { readonly captureStackTrace?: Capture }).captureStackTrace;
  if (capture === undefined || isInstance(error, Cancelled) || !isInstance(error, Error)) return error;
  try {
    const own = Reflect.getOwnPropertyDescriptor(error, "stack");
    if (own?.configurable !== true) return error;
    const here: { stack?: unknown } = {};
    capture(here, operation);
    const { get } = own;
    if (get === undefined) setStack(error, joined(own.value, here.stack));
    else {
      Reflect.defineProperty(error, "stack", {
        get: () => joined(get.call(error), here.stack),
        set: (stack) => setStack(error, stack),
        configurable: true,
      });
    }
  } catch {
    // An error that does not let itself be asked or changed is thrown as it is.
  }
  return error;
}

function setStack(error: Error, value: unknown): void {
  Reflect.defineProperty(error, "stack", { value, writable: true, enumerable: false, configurable: true });
}

/** One stack, and below it the frames of the other that it has not. */
function joined(stack: unknown, other: unknown): unknown {
  if (typeof stack !== "string" || typeof other !== "string") return stack;
  const missing = other.split("\n").filter((frame) => {
    const at = place.exec(frame)?.[1];
    return at !== undefined && !stack.includes(`${at}:`);
  });
  return [stack, ...missing].join("\n");
}
