// Copyright 2026 the Sluice authors. MIT license.

/** Child processes of the runner, each on a core of its own where the machine has `taskset` and more than one core. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { findTool } from "../tests/_tools.ts";

/** Who runs on which core. */
export const cores = { server: 0, load: 1 } as const;

/** Whether processes are kept on their cores. */
export const pinned: boolean = findTool("taskset") !== undefined && availableParallelism() > 1;

/** What a process may take to do what is next, in milliseconds. */
const patience = 60_000;

const running = new Set<Program>();

/** A child process that is talked to line by line. */
export class Program {
  readonly name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;
  readonly #exited: Promise<unknown>;

  constructor(command: readonly string[], core: number, env: Record<string, string> = {}) {
    this.name = command.slice(1).join(" ");
    // taskset replaces itself by the program, so the process is the program's.
    const [program, ...args] = pinned ? ["taskset", "-c", String(core), ...command] : command;
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
    this.#child.stdin.on("error", () => {}); // it has ended, which is told by its output
    this.#exited = once(this.#child, "exit").catch(() => {});
    this.#interface = createInterface({ input: this.#child.stdout });
    this.#lines = this.#interface[Symbol.asyncIterator]();
    running.add(this);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** The next line that it prints, within `limit` milliseconds; `undefined` when it has ended. */
  async line(limit: number = patience): Promise<string | undefined> {
    const expiry = Promise.withResolvers<never>();
    const timer = setTimeout(() => expiry.reject(new Error(`Nothing from ${this.name} for ${limit} ms`)), limit);
    try {
      const { value, done } = await Promise.race([this.#lines.next(), expiry.promise]);
      return done === true ? undefined : value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Writes one line to its standard input. */
  send(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Tells it to end, and makes it end when it does not. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), 5000);
    await this.#exited;
    clearTimeout(timer);
    running.delete(this);
    this.#interface.close();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Ends whatever runs: for the handler of a signal. */
export function killPrograms(): void {
  for (const program of running) program.kill();
}
