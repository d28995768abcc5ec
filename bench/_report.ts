// Copyright 2026 the Sluice authors. MIT license.

/** The results, as they are kept: in JSON, as a table in Markdown, and as a plot. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../tests/_runtimes.ts";
import type { Pace, Row } from "./_bench.ts";
import { markdownTable } from "./_markdown.ts";
import { plotRatios } from "./_plot.ts";

/** Where and with what the numbers came about. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly pinned: boolean;
  /** Whether the load was made in C, as far as it can be; else on Node. */
  readonly loadInC: boolean;
  /** Versions, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What one bench came to on one runtime. */
export interface Part {
  readonly bench: string;
  readonly runtime: string;
  readonly rows: readonly Row[];
  /** Why there are none. */
  readonly failure?: string | undefined;
}

/** All of a run. */
export interface Report extends Pace {
  readonly machine: Machine;
  /** How many connections there were where there were to be many. */
  readonly many: number;
  readonly parts: readonly Part[];
}

const begin = "<!-- speed: written by deno task bench --full -->";
const end = "<!-- /speed -->";

/** The folder whose results are in the repository. */
export const ownResults: string = join(root, "bench/results");

/** Keeps the report in `folder`, in all its forms. */
export function writeReport(folder: string, report: Report): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "results.json"), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(folder, "results.md"), `# Results of the benches\n\n${describe(report, allRows(report))}`);
  writeFileSync(join(folder, "ratios.svg"), plotRatios(allRows(report)));
}

/** What an earlier run of the same kind has kept in `folder`: nothing when there is none. A part that failed is to be done again. */
export function readParts(folder: string, { machine, rounds, ms, warmup, many }: Omit<Report, "parts">): Part[] {
  const path = join(folder, "results.json");
  if (!existsSync(path)) return [];
  const report: Report = JSON.parse(readFileSync(path, "utf8"));
  const same = report.rounds === rounds && report.ms === ms && report.warmup === warmup && report.many === many &&
    report.machine.loadInC === machine.loadInC;
  return same ? report.parts.filter(({ failure }) => failure === undefined) : [];
}

/** Puts the goals and what became of them into the README. */
export function writeReadme(report: Report): void {
  const path = join(root, "README.md");
  const rows = allRows(report).filter(({ goal, even }) => goal !== undefined || even !== undefined);
  const section = `${describe(report, rows)}\n![The ratios, with their intervals and goals](bench/results/ratios.svg)`;
  writeFileSync(path, replaceSection(readFileSync(path, "utf8"), section));
}

/** `text` with `section` between the marks. Throws when it has none. */
export function replaceSection(text: string, section: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`Cannot put results into the README: it must have ${begin} and ${end}`);
  return `${text.slice(0, from + begin.length)}\n\n${section.trim()}\n\n${text.slice(to)}`;
}

/** All lines, part by part. */
export function allRows({ parts }: Report): Row[] {
  return parts.flatMap(({ rows }) => rows);
}

/** Where, when and how it was measured, in two lines. */
export function describeRun({ machine, rounds, ms }: Report): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const load = machine.loadInC ? "load in C" : "load on Node";
  const where = machine.pinned ? `server on core 0, ${load} on core 1` : `${load}, not pinned to cores`;
  const [day] = machine.date.split("T");
  return `${day}, ${machine.cpu}, ${machine.cores} cores, ${machine.system}, ${where}\n${versions}; ${rounds} rounds of ${ms} ms; CPU time`;
}

function describe(report: Report, rows: readonly Row[]): string {
  const failures = report.parts.filter(({ failure }) => failure !== undefined)
    .map(({ bench, runtime, failure }) => `- FAILED ${bench} on ${runtime}: ${failure}\n`);
  const about = describeRun(report).replace("\n", ".\n");
  return `${about}.\n\n${markdownTable(rows)}\n${failures.length > 0 ? `\n${failures.join("")}` : ""}`;
}
