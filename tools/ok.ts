// Copyright 2026 the Sluice authors. MIT license.

/**
 * Everything that must hold, two steps at a time, whatever became of the others: `deno run -A tools/ok.ts`.
 * With `--test` the tests are the last step.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { runChild } from "../tests/_child.ts";
import { type Job, runJobs } from "../tests/_suite.ts";
import { findFiles, readManifest, root } from "./_files.ts";

const atOnce = 2;
const limit = 300_000;
const published = ["mod.ts", "base", "switch", "flow", "net"];

/** The steps, by what they are called. The first takes as long as all others. */
function steps(deno: string): Record<string, readonly string[]> {
  const entries = Object.values(readManifest().exports);
  const tool = (name: string) => [deno, "run", "-A", `tools/${name}.ts`];
  return {
    "examples in the documentation": [deno, "test", "-A", "--doc", ...published],
    "format": [deno, "fmt", "--check"],
    "lint": [deno, "lint"],
    "imports": tool("imports"),
    "types, by Deno": [deno, "check", "--quiet"],
    "types, by tsc with Node and Bun": [
      deno,
      "run",
      "-A",
      "node_modules/typescript/bin/tsc",
      "-p",
      "tools/tsconfig.json",
    ],
    "documentation": [deno, "doc", "--lint", ...entries],
    "examples in the pages": [deno, "check", "--quiet", "--doc-only", "README.md", ...findFiles([".md"], "docs")],
    "exports": tool("exports"),
    "features in docs/runtimes.md": tool("features"),
    "publish to JSR, dry run": [deno, "publish", "--dry-run", "--allow-dirty"],
    "pack for npm": tool("pack"),
  };
}

async function runStep(name: string, command: readonly string[]): ReturnType<Job> {
  const child = await runChild(command, { limit, cwd: root, env: { NO_COLOR: "1" } });
  const good = child.code === 0;
  console.log(`${good ? "ok" : "FAILED"} ${name} ${(child.ms / 1000).toFixed(1)}s`);
  if (child.timedOut) console.log(`  killed: still running after ${limit / 1000} s`);
  if (!good) console.log(child.spawnError?.message ?? child.output);
  return { passed: good ? 1 : 0, failed: good ? 0 : 1 };
}

const jobs = Object.entries(steps(process.execPath)).map(([name, command]) => () => runStep(name, command));
let { failed } = await runJobs(jobs, atOnce);
console.log(failed === 0 ? "static checks ok" : `${failed} static checks failed`);
if (process.argv.includes("--test")) {
  const { status } = spawnSync(process.execPath, ["run", "-A", "tests/run.ts"], { cwd: root, stdio: "inherit" });
  if (status !== 0) failed++;
}
process.exitCode = failed === 0 ? 0 : 1;
