// Copyright 2026 the Sluice authors. MIT license.

/** Runs test files on the runtimes, one child for each pair, and compares what the runtimes say. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { join, resolve } from "node:path";
import { type ChildResult, runChild } from "./_child.ts";
import { type Case, type Outcome, parseJunit } from "./_junit.ts";
import type { Runtime } from "./_runtimes.ts";

/** How many tests passed and failed. What fails outside a test, a hanging file say, counts as one failed test. */
export interface Tally {
  /** Tests that passed. */
  passed: number;
  /** Tests that failed. */
  failed: number;
}

/** What a suite does with its time and its lines. */
export interface SuiteOptions {
  /** The folder that `files` are relative to, and the children's working folder. */
  root: string;
  /** Milliseconds of wall-clock time for one file on one runtime. */
  limit: number;
  /** Takes each line, or block of lines, that is for the person who waits. */
  print(text: string): void;
}

/** What one runtime said about a file. */
interface Report {
  runtime: string;
  cases: Case[];
}

/** A piece of work that reports itself when it is done. */
export type Job = () => Promise<Tally>;

/** Runs `jobs` in order, at most `atOnce` at a time, and adds up what they say. */
export async function runJobs(jobs: readonly Job[], atOnce: number): Promise<Tally> {
  const queue = jobs.values();
  const total: Tally = { passed: 0, failed: 0 };
  const work = async () => {
    for (const job of queue) {
      const tally = await job();
      total.passed += tally.passed;
      total.failed += tally.failed;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return total;
}

/** One test file on every runtime. */
export class Suite {
  readonly #options: SuiteOptions;
  readonly #reports: string;
  readonly #skips: Set<string> = new Set();
  #started = 0;

  constructor(options: SuiteOptions) {
    this.#options = options;
    this.#reports = mkdtempSync(join(tmpdir(), "sluice-tests-"));
  }

  /** The jobs for `files` on `runtimes`. A runtime that is not there is one failure. */
  jobs(files: readonly string[], runtimes: readonly Runtime[]): Job[] {
    const present = runtimes.filter((runtime) => existsSync(runtime.program));
    const absent = runtimes.filter((runtime) => !present.includes(runtime));
    return [
      ...absent.map((runtime) => () => this.#fail(`${runtime.name}: there is no ${runtime.program}`)),
      ...files.flatMap((file) => this.#fileJobs(file, present)),
    ];
  }

  /** Removes the reports, and gives one line for every test that was skipped. */
  finish(): string[] {
    rmSync(this.#reports, { recursive: true, force: true });
    return [...this.#skips].sort();
  }

  #fileJobs(file: string, runtimes: readonly Runtime[]): Job[] {
    const reports: Report[] = [];
    let left = runtimes.length;
    return runtimes.map((runtime) => async () => {
      const tally = await this.#runFile(file, runtime, reports);
      if (--left > 0) return tally;
      const difference = describeDifference(reports);
      if (difference === undefined) return tally;
      const { failed } = await this.#fail(`${file}: the runtimes differ: ${difference}`);
      return { passed: tally.passed, failed: tally.failed + failed };
    });
  }

  async #runFile(file: string, runtime: Runtime, reports: Report[]): Promise<Tally> {
    const { root, limit, print } = this.#options;
    const report = join(this.#reports, `${++this.#started}.xml`);
    const child = await runChild(runtime.testCommand(resolve(root, file), report), {
      limit,
      cwd: root,
      env: { SLUICE_DENO: process.execPath, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_TEST_CONTEXT: undefined },
    });
    const cases = existsSync(report) ? parseJunit(readFileSync(report, "utf8")) : undefined;
    if (cases !== undefined) reports.push({ runtime: runtime.name, cases });
    for (const skip of only(cases ?? [], "skipped")) this.#skips.add(`skipped ${file}: ${skip.name}`);

    const problem = describeProblem(child, cases, limit);
    const passed = only(cases ?? [], "passed").length;
    const failed = only(cases ?? [], "failed").length + (problem === undefined ? 0 : 1);
    const counts = failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} failed`;
    const verdict = failed === 0 ? "ok" : "FAILED";
    print(`${verdict} ${runtime.name} ${file} ${counts} ${(child.ms / 1000).toFixed(1)}s`);
    if (problem !== undefined) print(`  ${problem}`);
    if (failed > 0) print(child.output);
    return { passed, failed };
  }

  #fail(message: string): Promise<Tally> {
    this.#options.print(`FAILED ${message}`);
    return Promise.resolve({ passed: 0, failed: 1 });
  }
}

/** The end of a run: what was skipped, then the line that says it all. */
export function summarize({ passed, failed }: Tally, skips: readonly string[]): string {
  return [...skips, `${passed} passed, ${failed} failed`].join("\n");
}

/** Why a file fails although none of its tests may have. */
function describeProblem(child: ChildResult, cases: Case[] | undefined, limit: number): string | undefined {
  if (child.spawnError !== undefined) return `did not start: ${child.spawnError.message}`;
  if (child.timedOut) return `killed: still running after ${limit / 1000} s`;
  if (cases === undefined) return `ended without a report: exit code ${child.code}`;
  if (cases.length === 0) return "has no test";
  if (child.code !== 0 && only(cases, "failed").length === 0) return `exit code ${child.code} though no test failed`;
  const silent = only(cases, "skipped").find(({ name }) => !/ \[needs .+\]$/.test(name));
  return silent === undefined ? undefined : `skipped for no stated need: ${silent.name}`;
}

/** The first test that is registered, or skipped, on some runtimes only. */
function describeDifference(reports: readonly Report[]): string | undefined {
  const count = ({ cases }: Report, line: string) => cases.filter((other) => describeCase(other) === line).length;
  const lines = new Set(reports.flatMap(({ cases }) => cases.map(describeCase)));
  const uneven = [...lines].find((line) => new Set(reports.map((report) => count(report, line))).size > 1);
  if (uneven === undefined) return undefined;
  return `${uneven}: ${reports.map((report) => `${report.runtime} ${count(report, uneven)}`).sort().join(", ")}`;
}

function describeCase({ name, outcome }: Case): string {
  return outcome === "skipped" ? `skipped "${name}"` : `"${name}"`;
}

function only(cases: readonly Case[], outcome: Outcome): Case[] {
  return cases.filter((other) => other.outcome === outcome);
}
