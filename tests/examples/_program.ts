// Copyright 2026 the Sluice authors. MIT license.

/** Programs as child processes, on the runtime that runs the test. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { root, thisRuntime } from "../_runtimes.ts";

/** A program that runs. Killed at the end of an `await using`, if it still does. */
export interface Program extends AsyncDisposable {
  /** What it has written to stdout up to now. */
  readonly output: string;
  /** What it has written to stderr up to now. */
  readonly errors: string;
  /**
   * Waits until its output matches.
   *
   * @returns The match.
   * @throws {Error} When it ends first.
   */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends it a signal. */
  signal(name: "SIGINT" | "SIGTERM"): void;
  /** How it ended: its exit code, or the signal that killed it, and what it wrote to stderr. */
  readonly end: Promise<ProgramEnd>;
}

/** How a program ended. */
export interface ProgramEnd {
  readonly status: number | string | null;
  readonly errors: string;
}

/** Starts `examples/<name>.ts`. */
export function startExample(name: string, ...args: readonly string[]): Program {
  return startProgram(join(root, `examples/${name}.ts`), ...args);
}

/** Starts the program at `path`. */
export function startProgram(path: string, ...args: readonly string[]): Program {
  const [command, ...words] = thisRuntime().runCommand(path);
  const child = spawn(command, [...words, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const { promise: end, resolve, reject } = Promise.withResolvers<ProgramEnd>();
  const watchers = new Set<() => void>();
  let output = "";
  let errors = "";
  let ended = false;
  const notify = () => watchers.forEach((watcher) => watcher());
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    notify();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  child.on("error", reject);
  child.on("close", (code, signal) => {
    ended = true;
    resolve({ status: signal ?? code, errors });
    notify();
  });
  return {
    get output() {
      return output;
    },
    get errors() {
      return errors;
    },
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const watcher = () => {
          const match = pattern.exec(output);
          if (match === null && !ended) return;
          watchers.delete(watcher);
          if (match !== null) resolve(match);
          else reject(new Error(`${path} ended before it printed ${pattern}: ${output}${errors}`));
        };
        watchers.add(watcher);
        watcher();
      }),
    // Not child.kill(): after it Deno reports any end as the work of the signal.
    signal: (name) => {
      process.kill(child.pid as number, name);
    },
    end,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await end;
    },
  };
}
