// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of every level. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { readAll, type Source } from "../flow/mod.ts";
import { Switch } from "../switch/mod.ts";

/** Waits one turn of the event loop, in any scope: it cannot be cancelled. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits some turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** Waits, turn by turn, until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Encodes a string as UTF-8. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Decodes UTF-8. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Reads a source to its end as a string. */
export async function readText(source: Source): Promise<string> {
  return textOf(await readAll(source));
}

/** Returns the result or the error of `fn`. */
export async function outcomeOf(fn: () => unknown): Promise<unknown> {
  try {
    return await fn();
  } catch (error) {
    return error;
  }
}

/** Runs `fn` in a scope that `reason` has cancelled, and returns its result. */
export async function inCancelledScope<T>(
  fn: () => T | Promise<T>,
  reason: unknown = new Error("Cancelled by the test"),
): Promise<T> {
  let result: { value: T } | undefined;
  let problem: unknown;
  await Switch.run(async (sw) => {
    sw.fail(reason);
    try {
      result = { value: await fn() };
    } catch (error) {
      problem = error;
    }
  }).catch((error) => {
    if (error !== reason) throw error;
  });
  if (result === undefined) throw problem;
  return result.value;
}

/** Collects garbage now, on any runtime. */
export function collectGarbage(): void {
  const { Bun } = globalThis as { Bun?: { gc(now: boolean): void } };
  if (Bun !== undefined) return Bun.gc(true);
  setFlagsFromString("--expose-gc");
  runInNewContext("globalThis.gc")();
}

/** Calls `fn` with a temporary folder, and removes it afterwards. */
export async function withFolder<T>(fn: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    return await fn(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
