// Copyright 2026 the Sluice authors. MIT license.

/**
 * Runs every `bench/*.bench.ts` on Deno, Bun and Node, and prints a table: `deno task bench`. `bench/README.md` says what the numbers mean.
 *
 * Exits with 1 when a bench could not be run, be it because a reply was wrong. A missed goal is in the table and nothing else: the machine may be busy.
 */
import { readdirSync } from "node:fs";
import { cpus, release, type } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { killChildren, runChild } from "../tests/_child.ts";
import { allRuntimes, root, type Runtime } from "../tests/_runtimes.ts";
import type { Bench, Settings } from "./_bench.ts";
import { LoadGenerator } from "./_load.ts";
import { light, type Options, readOptions, usage } from "./_options.ts";
import { native, preparePeers } from "./_peers.ts";
import { killPrograms, pinned } from "./_process.ts";
import {
  allRows,
  describeRun,
  type Machine,
  ownResults,
  type Part,
  readParts,
  type Report,
  writeReadme,
  writeReport,
} from "./_report.ts";
import { formatTable } from "./_table.ts";

async function main(options: Options): Promise<number> {
  const runtimes = allRuntimes(process.execPath);
  const wanted = [...runtimes, native].filter(({ name }) =>
    options.runtimes.length === 0 || options.runtimes.includes(name)
  );
  const benches = (await findBenches()).filter(({ name }) => matches(name, options.filters));
  if (benches.length === 0 || wanted.length === 0) {
    console.error(`no bench on any runtime matches: ${process.argv.slice(2).join(" ")}`);
    return 2;
  }
  const folder = options.results ?? (options.full ? ownResults : undefined);
  const peers = await preparePeers(options.full);
  const { rounds, ms, warmup, many } = options;
  const load = new LoadGenerator(runtimes.find(({ name }) => name === "node") as Runtime);
  const machine = await describeMachine(runtimes, peers, load.inC);
  const about = { machine, rounds, ms, warmup, many };
  const parts = folder !== undefined && options.resume ? readParts(folder, about) : [];
  const report: Report = { ...about, parts };
  console.log(`${describeRun(report)}\n`);

  for (const bench of benches) {
    for (const runtime of wanted.filter(({ name }) => name !== native.name || bench.native === true)) {
      if (parts.some((part) => part.bench === bench.name && part.runtime === runtime.name)) continue;
      const withGoal = bench.light !== true && runtime !== native;
      const pace = options.full && !withGoal ? lighter(options) : options;
      parts.push(await runPart(bench, runtime, { ...pace, twice: options.twice, many, load, native }));
      if (folder !== undefined) writeReport(folder, report);
    }
  }
  await load.stop();
  const failures = parts.filter(({ failure }) => failure !== undefined);
  console.log(formatTable(allRows(report)));
  for (const { bench, runtime, failure } of failures) console.log(`FAILED ${bench} on ${runtime}: ${failure}`);
  const whole = options.filters.length === 0 && options.runtimes.length === 0;
  if (folder === ownResults) {
    if (whole) writeReadme(report);
    await runChild([process.execPath, "fmt", ownResults, join(root, "README.md")], { limit: 60_000 }); // as everything is
  }
  return failures.length === 0 ? 0 : 1;
}

async function runPart(bench: Bench, runtime: Runtime, settings: Settings): Promise<Part> {
  const about = { bench: bench.name, runtime: runtime.name };
  if (process.stderr.isTTY) process.stderr.write(`\x1b[2K${bench.name} on ${runtime.name} …\r`);
  try {
    return { ...about, rows: await bench.run(runtime, settings) };
  } catch (error) {
    return { ...about, rows: [], failure: error instanceof Error ? error.message : String(error) };
  } finally {
    if (process.stderr.isTTY) process.stderr.write("\x1b[2K");
  }
}

/** Enough for what has no goal. */
function lighter({ rounds, ms, warmup }: Options) {
  return {
    rounds: Math.min(rounds, light.rounds),
    ms: Math.min(ms, light.ms),
    warmup: Math.min(warmup, light.warmup),
  };
}

async function findBenches(): Promise<Bench[]> {
  const folder = join(root, "bench");
  const files = readdirSync(folder).filter((file) => file.endsWith(".bench.ts")).sort();
  return await Promise.all(files.map(async (file) => (await import(`./${file}`)).bench as Bench));
}

function matches(name: string, filters: readonly string[]): boolean {
  return filters.length === 0 || filters.some((filter) => name.includes(filter));
}

async function describeMachine(
  runtimes: readonly Runtime[],
  peers: Record<string, string>,
  loadInC: boolean,
): Promise<Machine> {
  const versions = await Promise.all(runtimes.map(async ({ name, program }) => {
    const { output, spawnError } = await runChild([program, "--version"], { limit: 10_000 });
    return [name, spawnError?.message ?? /\d+(\.\d+)+/.exec(output)?.[0] ?? "unknown"];
  }));
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    system: `${type()} ${release()}`,
    pinned,
    loadInC,
    versions: { ...Object.fromEntries(versions), ...peers },
  };
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    killPrograms();
    killChildren();
    process.exit(130);
  });
}
let options: Options;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  process.exit(2);
}
process.exit(await main(options));
