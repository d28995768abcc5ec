// Copyright 2026 the Sluice authors. MIT license.

/**
 * Runs the benches on Deno, Bun and Node: `deno task bench`. `bench/README.md` says how they
 * measure.
 *
 * Exits with 1 when a bench could not run, or a reply was wrong.
 */
import { cpus, release, type } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { writeFileSync } from "node:fs";
import { killChildren, runChild } from "../tests/_child.ts";
import { allRuntimes, root, type Runtime } from "../tests/_runtimes.ts";
import { type InnerBench, innerBenches, type NetworkBench, networkBenches } from "./benches.ts";
import { type Measured, type Row, rowsOf } from "./_compare.ts";
import { measureInner } from "./_inner.ts";
import { compileLoad, measureNetwork } from "./_network.ts";
import { installPackages, packages } from "./_packages.ts";
import { killPrograms, pinned } from "./_process.ts";
import { formatTable, plotRatios, type Report, writeReport } from "./_report.ts";
import { type Options, readOptions, type Settings, usage } from "./_settings.ts";

const ownResults = join(root, "docs/performance-results.json");
const ownPlot = join(root, "docs/performance.svg");

async function main({ filters, full, ...options }: Options): Promise<number> {
  const runtimes = allRuntimes(process.execPath)
    .filter(({ name }) => options.runtimes.length === 0 || options.runtimes.includes(name));
  const benches = [...networkBenches(options.many), ...innerBenches]
    .filter(({ name }) => filters.length === 0 || filters.some((filter) => name.includes(filter)));
  if (benches.length === 0 || runtimes.length === 0) {
    console.error("No bench on any runtime has such a name");
    return 2;
  }
  const whole = full && filters.length === 0 && options.runtimes.length === 0;
  const results = options.results ?? (whole ? ownResults : undefined);
  if (benches.some((bench) => "shape" in bench)) await compileLoad();
  await installPackages(full, options.before === undefined && runtimes.some(({ name }) => name === "node"));
  const about = { ...await describeMachine(full), rounds: options.rounds, ms: options.ms };
  const rows: Row[] = [];
  let failed = 0;
  for (const bench of benches) {
    for (const runtime of runtimes) {
      try {
        const found = (await measure(bench, runtime, options)).flatMap((measured) => rowsOf(runtime.name, measured));
        if (found.length > 0) console.log(`${formatTable(found)}\n`);
        rows.push(...found);
      } catch (error) {
        failed++;
        console.log(`FAILED ${bench.name} on ${runtime.name}: ${error instanceof Error ? error.message : error}\n`);
      }
      if (results !== undefined) writeReport(results, { ...about, rows });
    }
  }
  if (results === ownResults) writeFileSync(ownPlot, plotRatios(rows));
  return failed === 0 ? 0 : 1;
}

function measure(bench: NetworkBench | InnerBench, runtime: Runtime, settings: Settings): Promise<Measured[]> {
  const before = settings.before === undefined ? undefined : resolve(settings.before);
  if ("shape" in bench) return measureNetwork(bench, runtime, { ...settings, before });
  return measureInner(bench, runtime, settings);
}

async function describeMachine(full: boolean): Promise<Pick<Report, "date" | "machine" | "versions">> {
  const versions: Record<string, string> = full ? { ...packages } : {};
  const programs = allRuntimes(process.execPath).map(({ name, program }) => [name, program, "--version"]);
  for (const [name, ...command] of [...programs, ["gcc", "gcc", "--version"]]) {
    const { output } = await runChild(command, { limit: 10_000 });
    const version = /\d+(\.\d+)+/.exec(output)?.[0];
    if (version !== undefined) versions[name] = version;
  }
  const where = pinned ? "server and load on a core each" : "server and load not pinned to cores";
  const machine = `${cpus()[0]?.model}, ${cpus().length} cores, ${type()} ${release()}, ${where}`;
  return { date: new Date().toISOString().slice(0, 10), machine, versions };
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
