// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../switch/check.ts";
import { Cancelled } from "../switch/errors.ts";

/** V8's own, of which not every runtime's types know. */
type Capture = (target: object, above: unknown) => void;

/** Where a frame is: the file and the line. */
const place = /([^\s(]+:\d+):\d+\)?$/;

/**
 * Adds to the stack of an error the frames of those who await the function `operation`, which is running, where they are
 * missing: because the error comes from a fiber, for which the engine knows no more than the frames of that, or because
 * there are more frames below than a stack shows. Engines other than V8 have no such frames to add.
 *
 * A `Cancelled` is shared by all that its scope cancelled, and stays as it is.
 *
 * @returns The same error.
 */
export function withCallerFrames(error: unknown, operation: unknown): unknown {
  const capture = (Error as unknown as { readonly captureStackTrace?: Capture }).captureStackTrace;
  if (capture === undefined || isInstance(error, Cancelled) || !isInstance(error, Error)) return error;
  try {
    const here: { stack?: string } = {};
    capture(here, operation);
    const stack: unknown = error.stack;
    if (here.stack === undefined || typeof stack !== "string") return error;
    const missing = here.stack.split("\n").filter((frame) => {
      const at = place.exec(frame)?.[1];
      return at !== undefined && !stack.includes(`${at}:`);
    });
    if (missing.length > 0) {
      const value = [stack, ...missing].join("\n");
      Reflect.defineProperty(error, "stack", { value, writable: true, configurable: true, enumerable: false });
    }
  } catch {
    // An error that does not let itself be asked or changed is thrown as it is.
  }
  return error;
}
