// Copyright 2026 the Sluice authors. MIT license.

/** The packed npm tarball, tried on Node 20 as a user would have it. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChildResult, runChild } from "./_child.ts";
import { oldNode, root } from "./_runtimes.ts";
import type { SuiteOptions, Tally } from "./_suite.ts";

const name = "tests/node20.mjs";

/**
 * Packs the library with `deno`, installs the tarball in an empty folder and runs `node20.mjs` there, which has the clients that
 * it tries from `root`.
 */
export async function runPacked(deno: string, { limit, print }: SuiteOptions): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-packed-"));
  try {
    const child = await packAndRun(deno, folder, limit);
    const passed = child.output.match(/^ok /gm)?.length ?? 0;
    const notOk = child.output.match(/^not ok /gm)?.length ?? 0;
    const good = child.code === 0 && notOk === 0 && passed > 0;
    const failed = good ? 0 : Math.max(1, notOk);
    const verdict = good
      ? `ok node-20 ${name} ${passed} passed`
      : `FAILED node-20 ${name} ${passed} passed, ${failed} failed`;
    print(`${verdict} ${(child.ms / 1000).toFixed(1)}s`);
    if (child.timedOut) print(`  killed: still running after ${limit / 1000} s`);
    if (!good) print(child.spawnError?.message ?? child.output);
    return { passed, failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The result of the first command that fails, or of the checks. */
async function packAndRun(deno: string, folder: string, limit: number): Promise<ChildResult> {
  const tarball = join(folder, "sluice.tgz");
  const installed = join(folder, "node_modules/@sluice/io");
  mkdirSync(installed, { recursive: true });
  copyFileSync(join(root, name), join(folder, "node20.mjs"));
  const commands = [
    [deno, "run", "-A", "tools/pack.ts", tarball],
    ["tar", "-xzf", tarball, "-C", installed, "--strip-components=1"],
  ];
  for (const command of commands) {
    const child = await runChild(command, { limit, cwd: root });
    if (child.code !== 0) return child;
  }
  return await runChild([oldNode(), "node20.mjs", root], { limit, cwd: folder });
}
