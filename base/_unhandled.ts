// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "./_check.ts";

type ErrorClass = abstract new (...args: never[]) => Error;

/**
 * The classes that were registered. An error class registers itself, so that a program does not
 * load the room of an error that it never uses.
 */
const warned: ErrorClass[] = [];

/**
 * Registers an error class of the library, in its static block: `run` shows unhandled rejections
 * with its errors as warnings.
 */
export function warnIfUnhandled(type: ErrorClass): void {
  warned.push(type);
}

/** Reports whether the class of `error` was registered. */
export function isWarnedIfUnhandled(error: unknown): boolean {
  return warned.some((type) => isInstance(error, type));
}
