// Copyright 2026 the Sluice authors. MIT license.

/**
 * Runs every `*.test.ts` under `tests/` on Deno, Bun and Node, then the packed library on Node 20,
 * Node 24 and Bun.
 *
 *     deno run -A tests/run.ts [--unit] [--runtime=deno|bun|node] [part of a file name …]
 *
 * `--unit` skips folders whose tests need root, foreign programs or much time, and runs the others
 * on Deno unless a runtime is named. With arguments it runs only the matching files, and not the
 * packed library. The last line is `N passed, N failed`. `SLUICE_TEST_LIMIT` is the time limit of
 * one file on one runtime, in milliseconds. `SLUICE_SIM_SEEDS` is how many seeds each scenario under
 * `tests/sim/` runs for: by default 1000, and 100 with `--unit`.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { killChildren, runChild } from "./_child.ts";
import { runPacked } from "./_packed.ts";
import { allRuntimes, root } from "./_runtimes.ts";
import { type Job, runJobs, Suite, type SuiteOptions, summarize } from "./_suite.ts";

const atOnce = 3; // one more than CI has cores, as many tests wait

/** Tests that need root, foreign programs or much time. */
const heavy = /^tests\/(bench|examples|runtime)\//;

async function main(args: readonly string[]): Promise<number> {
  const options: SuiteOptions = {
    root,
    limit: Number(process.env.SLUICE_TEST_LIMIT ?? 600_000),
    print: (text) => console.log(text),
  };
  const deno = process.execPath;
  const names = args.filter((arg) => arg.startsWith("--runtime=")).map((arg) => arg.slice("--runtime=".length));
  const unit = args.includes("--unit");
  if (unit && names.length === 0) names.push("deno");
  if (unit) process.env.SLUICE_SIM_SEEDS ??= "100";
  const filters = args.filter((arg) => !arg.startsWith("--"));
  const runtimes = allRuntimes(deno).filter(({ name }) => names.length === 0 || names.includes(name));
  const all = findTests();
  const files = all.filter((file) => !unit || !heavy.test(file))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)));
  if (files.length === 0 || runtimes.length === 0) {
    options.print(`FAILED: no test file on any runtime matches "${args.join(" ")}"`);
    options.print(summarize({ passed: 0, failed: 1 }, []));
    return 1;
  }

  const suite = new Suite(options);
  const jobs: Job[] = [
    () => checkTypes(deno, files.length === all.length ? [] : files, options),
    ...suite.jobs(files, runtimes),
  ];
  const tally = await runJobs(jobs, atOnce);
  if (args.length === 0) { // alone, because it measures time
    const packed = await runPacked(deno, options);
    tally.passed += packed.passed;
    tally.failed += packed.failed;
  }
  options.print(summarize(tally, suite.finish()));
  return tally.failed === 0 ? 0 : 1;
}

function findTests(): string[] {
  const files = readdirSync(join(root, "tests"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.ts"))
    .map((path) => `tests/${path}`)
    .sort();
  const isLong = (file: string) => file.startsWith("tests/sim/"); // first, so that none runs alone at the end
  return [...files.filter(isLong), ...files.filter((file) => !isLong(file))];
}

/**
 * Checks types once for all files, so that no child has to. Without `files` it checks everything, as `tools/ok.ts` does:
 * after that Deno knows the outcome.
 */
async function checkTypes(deno: string, files: readonly string[], options: SuiteOptions): ReturnType<Job> {
  const child = await runChild([deno, "check", "--quiet", ...files], { limit: options.limit, cwd: root });
  const good = child.code === 0;
  options.print(`${good ? "ok" : "FAILED"} types of ${files.length || "all"} files ${(child.ms / 1000).toFixed(1)}s`);
  if (!good) options.print(child.output);
  return { passed: 0, failed: good ? 0 : 1 };
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    killChildren();
    process.exit(130);
  });
}
process.exit(await main(process.argv.slice(2)));
