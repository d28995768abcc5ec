// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of Node streams. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import process from "node:process";
import type { Writable } from "node:stream";

/** Runs `fn` with a child process, and waits until the child has ended. */
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

/** Returns the error with which a stream was destroyed, once it has closed. */
export async function errorOf(stream: Writable): Promise<NodeJS.ErrnoException> {
  if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve));
  return stream.errored as NodeJS.ErrnoException;
}
