// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of `switch/`. */
import { AssertionError } from "@std/assert";
import { MultipleErrors } from "../../switch/mod.ts";

/** Returns the reason of a rejection, whether it is an error or not. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new AssertionError("Promise was not rejected");
}

/** Returns the reason of a rejection, split into its parts. */
export async function failuresOf(promise: Promise<unknown>): Promise<unknown[]> {
  const error = await rejectionOf(promise);
  return error instanceof MultipleErrors ? error.errors : [error];
}

/**
 * Calls `fn`, and then throws `error` whatever the outcome: a fiber that fails while it is
 * cancelled.
 */
export async function throwing(error: unknown, fn: () => Promise<unknown>): Promise<never> {
  await fn().catch(() => {});
  throw error;
}

/** An example failure. */
export const failure: Error = new Error("Cannot go on");
