// Copyright 2026 the Sluice authors. MIT license.

/** Servers of `bench/`, started as its runner does. */
import { assertEquals } from "@std/assert";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { root, thisRuntime } from "../_runtimes.ts";

/** A server of `bench/`, as others start it. */
export class Server {
  readonly #child: ChildProcessByStdio<null, Readable, null>;
  readonly #exit: Promise<unknown[]>;
  readonly #lines: AsyncIterator<string>;

  constructor(command: readonly string[], place: number | string) {
    const [program, ...args] = command;
    this.#child = spawn(program, [...args, String(place)], { stdio: ["ignore", "pipe", "inherit"] });
    this.#exit = once(this.#child, "exit");
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Reads the address and `ready`, and gives the port. */
  async port(): Promise<number> {
    const port = Number((await this.line()).split(":").at(-1));
    assertEquals(await this.line(), "ready");
    return port;
  }

  async line(): Promise<string> {
    const { value } = await this.#lines.next();
    return value;
  }

  /** Sends SIGTERM, and gives the exit code. */
  async stop(): Promise<unknown> {
    // Not by the child's own method: after it Deno reports any end as the work of the signal.
    process.kill(this.#child.pid as number, "SIGTERM");
    const [code] = await this.#exit;
    return code;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Calls `fn` with the server at `path` below `bench/`, which is killed afterwards, whatever happened. */
export async function withServer(
  path: string,
  place: number | string,
  fn: (server: Server) => Promise<void>,
): Promise<void> {
  await withCommand(thisRuntime().runCommand(join(root, "bench", path)), place, fn);
}

/** The same for the program that `command` starts. */
export async function withCommand(
  command: readonly string[],
  place: number | string,
  fn: (server: Server) => Promise<void>,
): Promise<void> {
  const server = new Server(command, place);
  try {
    await fn(server);
  } finally {
    server.kill();
  }
}

/** Calls `fn` with a folder, which is removed afterwards. */
export async function withFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    await fn(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
