// Copyright 2026 the Sluice authors. MIT license.

/** Child processes that can't outlive their time, nor leave processes of their own behind. */
import { spawn } from "node:child_process";
import process from "node:process";

/** How a child ended. */
export interface ChildResult {
  /** The exit code; `null` when a signal ended it, or when it never started. */
  code: number | null;
  /** Whether its time ran out. */
  timedOut: boolean;
  /** Why it did not start. */
  spawnError: Error | undefined;
  /** What it wrote to stdout and stderr, in the order in which it came; only the end when there is very much. */
  output: string;
  /** How long it ran, in milliseconds. */
  ms: number;
}

/** Options for {@linkcode runChild}. */
export interface ChildOptions {
  /** Milliseconds of wall-clock time, after which the child and its descendants are killed. */
  limit: number;
  /** The working folder. The default is the caller's. */
  cwd?: string | undefined;
  /** Variables to set or, with `undefined`, to unset, on top of the caller's. */
  env?: Record<string, string | undefined> | undefined;
}

const outputLimit = 1 << 23; // `deno doc --json mod.ts` alone writes more than 1 MiB

/** Groups of the children that run now. */
const running = new Set<number>();

/**
 * Runs `command` to its end. The child leads a process group of its own, and what is left of the group is killed when
 * the child ends or its time runs out. Never rejects.
 */
export function runChild(command: readonly string[], options: ChildOptions): Promise<ChildResult> {
  const started = performance.now();
  const { promise, resolve } = Promise.withResolvers<ChildResult>();
  const result: ChildResult = { code: null, timedOut: false, spawnError: undefined, output: "", ms: 0 };
  const child = spawn(command[0], command.slice(1), {
    cwd: options.cwd,
    detached: true, // a group of its own
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const group = child.pid;
  if (group !== undefined) running.add(group);
  const timer = setTimeout(() => {
    result.timedOut = true;
    if (group !== undefined) killGroup(group);
  }, options.limit);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => result.output = (result.output + text).slice(-outputLimit));
  }
  const end = () => {
    clearTimeout(timer);
    result.ms = performance.now() - started;
    resolve(result);
  };
  child.on("error", (error) => {
    result.spawnError = error;
    end();
  });
  child.on("exit", (code) => {
    result.code = code;
    if (group === undefined) return;
    killGroup(group); // whoever still holds the pipes, so that "close" comes
    running.delete(group);
  });
  child.on("close", end);
  return promise;
}

/** Kills every child that runs now: for the handler of a signal. */
export function killChildren(): void {
  for (const group of running) killGroup(group);
}

function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // ESRCH: nobody is left
  }
}
