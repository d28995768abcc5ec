// Copyright 2026 the Sluice authors. MIT license.

/**
 * Tests the packed npm tarball as a user gets it: on Node 20, which runs no TypeScript, on Node 24
 * and on Bun.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measureImport } from "../tools/_import_time.ts";
import { type ChildResult, runChild } from "./_child.ts";
import { allRuntimes, oldNode, root } from "./_runtimes.ts";
import type { SuiteOptions, Tally } from "./_suite.ts";

const name = "tests/packed.mjs";

/**
 * Limit of the CPU time of `import "@sluice/io"` on Node, in ms, without the runtime's own modules.
 */
const importLimit = 30;

/** A runtime that the tarball supports. */
interface Target {
  readonly name: string;
  readonly program: string;
}

/** Packs the library with `deno`, installs the tarball in an empty folder, and tests it there. */
export async function runPacked(deno: string, options: SuiteOptions): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-packed-"));
  const others = allRuntimes(deno).filter((runtime) => runtime.name !== "deno").reverse();
  const targets: Target[] = [{ name: "node-20", program: oldNode() }, ...others];
  const total: Tally = { passed: 0, failed: 0 };
  try {
    const failure = await install(deno, folder, options.limit);
    if (failure !== undefined) {
      options.print(`FAILED to pack\n${failure.spawnError?.message ?? failure.output}`);
      return { passed: 0, failed: 1 };
    }
    for (const target of targets) {
      const { passed, failed } = await runChecks(target, folder, options);
      total.passed += passed;
      total.failed += failed;
    }
    for (const target of targets.filter((target) => target.name.startsWith("node"))) {
      if (await checkImportTime(target, folder, options)) total.passed++;
      else total.failed++;
    }
    return total;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the first command that fails. */
async function install(deno: string, folder: string, limit: number): Promise<ChildResult | undefined> {
  const tarball = join(folder, "sluice.tgz");
  const installed = join(folder, "node_modules/@sluice/io");
  mkdirSync(installed, { recursive: true });
  copyFileSync(join(root, name), join(folder, "packed.mjs"));
  const commands = [
    [deno, "run", "-A", "tools/pack.ts", tarball],
    ["tar", "-xzf", tarball, "-C", installed, "--strip-components=1"],
  ];
  for (const command of commands) {
    const child = await runChild(command, { limit, cwd: root });
    if (child.code !== 0) return child;
  }
  return undefined;
}

/** Runs `packed.mjs`, which imports its test clients from `root`. */
async function runChecks({ name: runtime, program }: Target, folder: string, options: SuiteOptions): Promise<Tally> {
  const { limit, print } = options;
  const child = await runChild([program, "packed.mjs", root], { limit, cwd: folder });
  const passed = child.output.match(/^ok /gm)?.length ?? 0;
  const notOk = child.output.match(/^not ok /gm)?.length ?? 0;
  const good = child.code === 0 && notOk === 0 && passed > 0;
  const failed = good ? 0 : Math.max(1, notOk);
  const verdict = good
    ? `ok ${runtime} ${name} ${passed} passed`
    : `FAILED ${runtime} ${name} ${passed} passed, ${failed} failed`;
  print(`${verdict} ${(child.ms / 1000).toFixed(1)}s`);
  if (child.timedOut) print(`  killed: still running after ${limit / 1000} s`);
  if (!good) print(child.spawnError?.message ?? child.output);
  return { passed, failed };
}

/** Checks that `import "@sluice/io"` is fast enough. */
async function checkImportTime({ name: runtime, program }: Target, folder: string, { print }: SuiteOptions) {
  const { ownMs, allMs } = await measureImport(program, folder, ".", importLimit);
  const good = ownMs <= importLimit;
  const own = `${ownMs.toFixed(1)} ms beyond its node: modules (at most ${importLimit})`;
  print(`${good ? "ok" : "FAILED"} ${runtime} import "@sluice/io" ${own}, ${allMs.toFixed(1)} in all`);
  return good;
}
