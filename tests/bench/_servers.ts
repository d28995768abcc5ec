// Copyright 2026 the Sluice authors. MIT license.

/** Servers of `bench/`, started as its runner does. */
import { assertEquals } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandOf, compileLoad, type Server, startServer, withLoad } from "../../bench/_network.ts";
import { thisRuntime } from "../_runtimes.ts";

/** Every test that makes a load needs it. */
export const needs = { peers: ["gcc"] } as const;

/**
 * Calls `fn` with a server that runs `program`, and with the compiled load. The server must end at
 * SIGTERM.
 */
export async function withServer(program: string, fn: (server: Server) => Promise<void>, path?: string): Promise<void> {
  await compileLoad();
  const command = commandOf(program, thisRuntime());
  if (command === undefined) throw new Error(`Cannot run ${program} here`);
  const server = await startServer(command, path);
  try {
    await fn(server);
    assertEquals(await server.program.stop(), 0);
  } finally {
    server.program.kill();
    await server.program.stop();
  }
}

/**
 * Puts a load on a server until `operations` are complete, and every connection has ended properly.
 */
export async function complete(shape: string, target: string, connections: number, operations: number, size?: number) {
  await withLoad(shape, target, { connections, size }, async (load) => {
    while (Number(await load.ask("look")) < operations);
    assertEquals((await load.ask("stop")).startsWith("stopped "), true);
  });
}

/** Calls `fn` with a Unix path, whose folder is removed afterwards. */
export async function withPath(fn: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    await fn(join(folder, "socket"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
