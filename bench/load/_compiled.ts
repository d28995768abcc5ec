// Copyright 2026 the Sluice authors. MIT license.

import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Writable } from "node:stream";
import type { Target } from "./_load.ts";

/** What the program in C can do. */
const shapes = new Set(["roundTrip", "bulk", "relay", "connectClose"]);

/** Whether {@linkcode CompiledLoad} can do it. */
export function isCompiled(shape: string): boolean {
  return shapes.has(shape);
}

/** What is done, and where. */
export interface Wish {
  readonly shape: string;
  readonly target: Target;
  readonly connections: number;
  readonly size: number;
}

/** A load that `load.c` makes, in a process of its own: as fast as one core can. */
export class CompiledLoad {
  /** The process that makes it. */
  readonly pid: number;
  /** Fulfilled when it has begun. */
  readonly begun: Promise<void>;
  /** Rejects at the first failure. Never fulfilled. */
  readonly failed: Promise<never>;

  readonly #orders: Writable;
  readonly #exited: Promise<unknown>;
  readonly #kill: () => void;
  #told!: (line: string) => void;

  /** Starts the program at `path`. */
  constructor(path: string, { shape, target, connections, size }: Wish) {
    const child = spawn(path, [shape, target, connections, size].map(String), { stdio: ["pipe", "pipe", "inherit"] });
    const failed = Promise.withResolvers<never>();
    this.failed = failed.promise;
    this.failed.catch(() => {});
    this.pid = child.pid ?? process.pid;
    this.#orders = child.stdin;
    this.#orders.on("error", () => {}); // it has ended, which is told below
    this.#exited = once(child, "close").catch(() => {});
    this.#kill = () => child.kill("SIGKILL");
    this.begun = this.#answer().then(() => {});
    this.begun.catch(() => {});
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("error ")) failed.reject(new Error(line.slice("error ".length)));
      else this.#told(line);
    });
    child.on("error", failed.reject);
    child.on("close", (code) => failed.reject(new Error(`Load has ended with exit code ${code}`)));
  }

  /** How many operations are complete. */
  async look(): Promise<number> {
    return Number(await this.#ask("look"));
  }

  /** Ends every connection properly, checking what still comes. */
  async stop(): Promise<void> {
    await this.#ask("stop");
    await this.#exited;
  }

  /** Drops every connection. */
  abandon(): void {
    this.#kill();
  }

  async #ask(order: string): Promise<string> {
    this.#orders.write(`${order}\n`);
    return await this.#answer();
  }

  #answer(): Promise<string> {
    return Promise.race([new Promise<string>((resolve) => this.#told = resolve), this.failed]);
  }
}
