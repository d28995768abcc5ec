// Copyright 2026 the Sluice authors. MIT license.

/**
 * Child processes of the runner, and what Linux counts of them. Server and load each have a core of
 * their own.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { findTool } from "../tests/_tools.ts";

/** The core of each kind of process. */
export const cores = { server: 0, load: 1 } as const;

/** Whether processes are kept on their cores. */
export const pinned: boolean = findTool("taskset") !== undefined && availableParallelism() > 1;

const patience = 60_000; // ms for the next line
const stopPatience = 5000; // ms between SIGTERM and SIGKILL

const running = new Set<Program>();

/** A child process that speaks in lines. */
export class Program {
  readonly #name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #input: Interface;
  readonly #lines: AsyncIterator<string>;
  readonly #exited: Promise<unknown>;

  constructor(command: readonly string[], core: number | undefined, env: Record<string, string | undefined> = {}) {
    this.#name = command.slice(-3).join(" ");
    // taskset replaces itself by the program, so that the process is the program's.
    const [program, ...args] = pinned && core !== undefined ? ["taskset", "-c", String(core), ...command] : command;
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
    this.#child.stdin.on("error", () => {}); // the program has ended: its output says so
    this.#exited = once(this.#child, "exit").catch(() => {});
    this.#input = createInterface({ input: this.#child.stdout });
    this.#lines = this.#input[Symbol.asyncIterator]();
    running.add(this);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /**
   * The next line of its output, within `limit` milliseconds. Throws where it reports an error, or
   * has ended.
   */
  async line(limit: number = patience): Promise<string> {
    const expiry = Promise.withResolvers<never>();
    const timer = setTimeout(() => expiry.reject(new Error(`${this.#name}: silent for ${limit} ms`)), limit);
    try {
      const { value, done } = await Promise.race([this.#lines.next(), expiry.promise]);
      if (done) throw new Error(`${this.#name}: ended`);
      if (value.startsWith("error ")) throw new Error(`${this.#name}: ${value.slice("error ".length)}`);
      return value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Writes one line to its input, and returns the next one of its output. */
  async ask(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`);
    return await this.line();
  }

  /** Ends it: by SIGTERM first. Returns its exit code. */
  async stop(): Promise<number | null> {
    // Not by the child's own method: after it Deno reports any end as the work of the signal.
    if (this.#child.exitCode === null && this.#child.signalCode === null) terminate(this.pid);
    const timer = setTimeout(() => this.kill(), stopPatience);
    await this.#exited;
    clearTimeout(timer);
    running.delete(this);
    this.#input.close();
    return this.#child.exitCode;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

function terminate(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // ESRCH: it has just ended, or never started
  }
}

/** Kills every program: for the handler of a signal. */
export function killPrograms(): void {
  for (const program of running) program.kill();
}

/** The CPU time of each thread of a process, in nanoseconds. */
export type CpuTimes = ReadonlyMap<string, number>;

const tick = 10_000_000; // ns: programs see 100 Hz on every Linux

/**
 * Reads the CPU time of a process: from `schedstat` in nanoseconds, or else from `stat` in ticks of
 * 10 ms.
 */
export function readCpu(pid: number): CpuTimes {
  if (!existsSync(`/proc/${pid}/schedstat`)) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // utime and stime are the 14th and 15th
    return new Map([["", (Number(fields[11]) + Number(fields[12])) * tick]]);
  }
  const times = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      times.set(thread, Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]));
    } catch {
      // the thread has ended
    }
  }
  return times;
}

/** The CPU time between two readings, in nanoseconds. */
export function cpuBetween(before: CpuTimes, after: CpuTimes): number {
  return [...after].reduce((sum, [thread, time]) => sum + time - (before.get(thread) ?? 0), 0);
}

/** Forgets the peak of a process's memory, where the kernel can. */
export function resetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
  } catch {
    // the peak is that of its whole life
  }
}

/** The resident memory of a process, now or at its peak, in bytes. */
export function readMemory(pid: number, which: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${which}:\\s*(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
}

/** How many descriptors a process has open. */
export function countDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
