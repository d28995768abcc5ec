// Copyright 2026 the Sluice authors. MIT license.

/** Child processes with a time limit, which leave no descendants behind. */
import { spawn } from "node:child_process";
import process from "node:process";

/** The outcome of a child process. */
export interface ChildResult {
  /** The exit code, or `null` if a signal ended it or it did not start. */
  code: number | null;
  /** Whether its time ran out. */
  timedOut: boolean;
  /** Why it did not start. */
  spawnError: Error | undefined;
  /** Its stdout and stderr in order of arrival. Cut at the start if very long. */
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
  /** Variables to set, or with `undefined` to unset, in the caller's environment. */
  env?: Record<string, string | undefined> | undefined;
}

const outputLimit = 1 << 23; // `deno doc --json mod.ts` alone writes more than 1 MiB

/** Process groups of running children. */
const running = new Set<number>();

/**
 * Runs `command` to its end. The child leads its own process group, and what remains of the group
 * is killed when the child ends or its time runs out. Never rejects.
 */
export function runChild(command: readonly string[], options: ChildOptions): Promise<ChildResult> {
  const started = performance.now();
  const { promise, resolve } = Promise.withResolvers<ChildResult>();
  const result: ChildResult = { code: null, timedOut: false, spawnError: undefined, output: "", ms: 0 };
  const child = spawn(command[0], command.slice(1), {
    cwd: options.cwd,
    detached: true, // leads its own group
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
    killGroup(group); // processes that still hold the pipes, so that "close" fires
    running.delete(group);
  });
  child.on("close", end);
  return promise;
}

/** Kills all running children, for a signal handler. */
export function killChildren(): void {
  for (const group of running) killGroup(group);
}

function killGroup(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // ESRCH: the group is empty.
  }
}
