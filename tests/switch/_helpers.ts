// Copyright 2026 the Sluice authors. MIT license.

/** What several tests of `switch/` use. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
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

/** A turn of the event loop that no switch can refuse. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Calls `fn`, and then throws `error`, however `fn` ended: a fiber that fails while it is cancelled. */
export async function throwing(error: unknown, fn: () => Promise<unknown>): Promise<never> {
  await fn().catch(() => {});
  throw error;
}

/** Collects garbage now, by whatever the runtime has for it. */
export function collectGarbage(): void {
  const { Bun } = globalThis as { Bun?: { gc(now: boolean): void } };
  if (Bun !== undefined) return Bun.gc(true);
  setFlagsFromString("--expose-gc");
  runInNewContext("globalThis.gc")();
}
