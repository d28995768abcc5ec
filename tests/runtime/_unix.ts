// Copyright 2026 the Sluice authors. MIT license.

/** What the tests of Unix sockets share. */
import { assert } from "@std/assert";
import { spawnSync } from "node:child_process";
import { lstatSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Net, Switch } from "../../mod.ts";
import { withNet } from "../net/_helpers.ts";
import { nodeProgram } from "./_peers.ts";

/** Runs `fn` with a path for a Unix socket in a folder of its own. */
export async function withPath(fn: (path: string, sw: Switch, net: Net) => unknown): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-unix-"));
  try {
    await withNet(async (sw, net) => await fn(join(folder, "socket"), sw, net));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Leaves a socket file behind on which nobody listens, as a killed server does. */
export function leaveStale(path: string): void {
  const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(nodeProgram, ["-e", script, path]);
  assert(lstatSync(path).isSocket());
}
