// Copyright 2026 the Sluice authors. MIT license.

/**
 * Runs every `bench/*.bench.ts` on Deno, Bun and Node, and prints a table: `deno task bench`. `bench/README.md` says what the numbers mean.
 *
 * Exits with 1 when a bench could not be run, be it because a reply was wrong. A missed goal is in the table and nothing else: the machine may be busy.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { runChild } from "../tests/_child.ts";
import { allRuntimes, root, type Runtime } from "../tests/_runtimes.ts";
import type { Bench, Row, Settings } from "./_bench.ts";
import { LoadGenerator } from "./_load.ts";
import { type Options, readOptions, usage } from "./_options.ts";
import { killPrograms, pinned } from "./_process.ts";
import { formatTable } from "./_table.ts";

/** Where and with what the numbers came about. */
interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly pinned: boolean;
  /** Versions by runtime. */
  readonly runtimes: Record<string, string>;
}

async function main(options: Options): Promise<number> {
  const everywhere = allRuntimes(process.execPath);
  const runtimes = everywhere.filter(({ name }) => options.runtimes.length === 0 || options.runtimes.includes(name));
  const benches = (await findBenches()).filter(({ name }) => matches(name, options.filters));
  if (benches.length === 0 || runtimes.length === 0) {
    console.error(`no bench on any runtime matches: ${process.argv.slice(2).join(" ")}`);
    return 2;
  }
  const machine = await describeMachine(runtimes);
  console.log(describeRun(machine, options));

  const node = everywhere.find(({ name }) => name === "node") as Runtime;
  const settings: Settings = { ...options, load: new LoadGenerator(node) };
  const rows: Row[] = [];
  const failures: string[] = [];
  for (const bench of benches) {
    for (const runtime of runtimes) {
      if (process.stderr.isTTY) process.stderr.write(`\x1b[2K${bench.name} on ${runtime.name} …\r`);
      try {
        rows.push(...await bench.run(runtime, settings));
      } catch (error) {
        failures.push(`FAILED ${bench.name} on ${runtime.name}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  await settings.load.stop();
  if (process.stderr.isTTY) process.stderr.write("\x1b[2K");
  console.log(formatTable(rows));
  for (const failure of failures) console.log(failure);
  if (options.json !== undefined) {
    const { rounds, ms, warmup } = options;
    writeFileSync(options.json, `${JSON.stringify({ machine, rounds, ms, warmup, rows, failures }, null, 2)}\n`);
  }
  return failures.length === 0 ? 0 : 1;
}

async function findBenches(): Promise<Bench[]> {
  const folder = join(root, "bench");
  const files = readdirSync(folder).filter((file) => file.endsWith(".bench.ts")).sort();
  return await Promise.all(files.map(async (file) => (await import(`./${file}`)).bench as Bench));
}

function matches(name: string, filters: readonly string[]): boolean {
  return filters.length === 0 || filters.some((filter) => name.includes(filter));
}

async function describeMachine(runtimes: readonly Runtime[]): Promise<Machine> {
  const versions = await Promise.all(runtimes.map(async ({ name, program }) => {
    const { output, spawnError } = await runChild([program, "--version"], { limit: 10_000 });
    return [name, spawnError?.message ?? /\d+(\.\d+)+/.exec(output)?.[0] ?? "unknown"];
  }));
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    pinned,
    runtimes: Object.fromEntries(versions),
  };
}

function describeRun({ date, cpu, cores, pinned, runtimes }: Machine, { rounds, ms }: Options): string {
  const versions = Object.entries(runtimes).map(([name, version]) => `${name} ${version}`).join(", ");
  const where = pinned ? "server on core 0, load on core 1" : "not pinned to cores";
  const [day] = date.split("T");
  return `${day}, ${cpu}, ${cores} cores, ${where}\n${versions}; ${rounds} rounds of ${ms} ms; CPU time\n`;
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    killPrograms();
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
