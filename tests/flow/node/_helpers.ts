// Copyright 2026 the Sluice authors. MIT license.

/** What the tests of Node's streams share. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { first, yieldNow } from "../../../switch/mod.ts";

/** Some turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Waits, turn by turn, until `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Runs `operation` for some turns. Gives what it gave, or `undefined` if it was cancelled. */
export function attempt<T>(operation: () => Promise<T>, patience = 20): Promise<T | undefined> {
  return first<T | undefined, undefined>(operation, async () => {
    for (let i = 0; i < patience; i++) await yieldNow();
  });
}

/** Writes until nothing more is taken. Gives how much was. */
export async function clog(write: (bytes: Uint8Array) => Promise<number>): Promise<number> {
  let taken = 0;
  for (let refused = 0; refused < 3;) {
    const count = await attempt(() => write(new Uint8Array(16 * 1024)), 200);
    refused = count === undefined ? refused + 1 : 0;
    taken += count ?? 0;
    if (taken > 10_000_000) throw new Error(`Expected writing to wait: ${taken} bytes were taken`);
  }
  return taken;
}

/** Runs `fn` with a folder of its own. */
export async function withFolder(fn: (path: (name: string) => string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-flow-"));
  try {
    await fn((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs `fn` beside a child process, and waits for the end of that. */
export async function withChild(
  command: readonly string[],
  fn: (child: ChildProcessWithoutNullStreams) => Promise<void>,
): Promise<void> {
  const child = spawn(command[0], command.slice(1));
  let running = true;
  const ended = new Promise((resolve) => child.once("close", resolve)).then(() => running = false);
  try {
    await fn(child);
  } finally {
    // Not by the child's own kill(): on Deno that works only once.
    if (running && child.exitCode === null && child.pid !== undefined) process.kill(child.pid, "SIGKILL");
    child.stdout.resume();
    child.stderr.resume();
    await ended;
  }
}
