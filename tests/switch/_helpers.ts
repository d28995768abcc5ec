// Copyright 2026 the Sluice authors. MIT license.

/** What several tests of `switch/` use. */
import { AssertionError } from "@std/assert";
import { MultipleErrors } from "../../switch/mod.ts";

/** What `promise` is rejected with, be it an error or not. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new AssertionError("Promise was not rejected");
}

/** What `promise` is rejected with, taken apart. */
export async function failuresOf(promise: Promise<unknown>): Promise<unknown[]> {
  const error = await rejectionOf(promise);
  return error instanceof MultipleErrors ? error.errors : [error];
}

/** Calls `fn`, and then throws `error`, however `fn` ended: a fiber that fails while it is cancelled. */
export async function throwing(error: unknown, fn: () => Promise<unknown>): Promise<never> {
  await fn().catch(() => {});
  throw error;
}

/** Why something fails. */
export const failure: Error = new Error("Cannot go on");
