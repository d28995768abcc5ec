// Copyright 2026 the Sluice authors. MIT license.

/** Runs test files on the runtimes, each in a child, and compares the results of the runtimes. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { join, resolve } from "node:path";
import { type ChildResult, runChild } from "./_child.ts";
import { type Case, type Outcome, parseJunit } from "./_junit.ts";
import type { Runtime } from "./_runtimes.ts";

/**
 * Counts of passed and failed tests. A failure outside a test, such as a hanging file, counts as
 * one.
 */
export interface Tally {
  /** Tests that passed. */
  passed: number;
  /** Tests that failed. */
  failed: number;
}

/** Options of a suite. */
export interface SuiteOptions {
  /** The folder of `files`, and the working folder of children. */
  root: string;
  /** Time limit of one file on one runtime, in milliseconds. */
  limit: number;
  /** Prints a line or several for the user. */
  print(text: string): void;
}

/** The report of one runtime on a file. */
interface Report {
  runtime: string;
  cases: Case[];
}

/** A job that prints its own report. */
export type Job = () => Promise<Tally>;

/** Runs `jobs` in order, at most `atOnce` at a time, and adds up their tallies. */
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

/** Test files, each run on every runtime. */
export class Suite {
  readonly #options: SuiteOptions;
  readonly #reports: string;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #skips: Set<string> = new Set();
  #started = 0;

  constructor(options: SuiteOptions) {
    this.#options = options;
    this.#reports = mkdtempSync(join(tmpdir(), "sluice-tests-"));
    this.#env = {
      SLUICE_DENO: process.execPath,
      NODE_COMPILE_CACHE: join(this.#reports, "compiled"), // else each process compiles the library anew
      NO_COLOR: "1",
      FORCE_COLOR: undefined,
      NODE_TEST_CONTEXT: undefined,
    };
  }

  /** Returns the jobs for `files` on `runtimes`. A missing runtime counts as one failure. */
  jobs(files: readonly string[], runtimes: readonly Runtime[]): Job[] {
    const present = runtimes.filter((runtime) => existsSync(runtime.program));
    const absent = runtimes.filter((runtime) => !present.includes(runtime));
    const jobs = files.map((file) => this.#fileJobs(file, present));
    return [
      ...absent.map((runtime) => () => this.#fail(`${runtime.name}: there is no ${runtime.program}`)),
      // The runtimes begin at different files: a costly one beside itself takes more memory, such as
      // the kernel's for TCP, than there is.
      ...files.flatMap((_, i) =>
        present.map((_, r) => jobs[(i + Math.floor(r * files.length / present.length)) % files.length][r])
      ),
    ];
  }

  /** Removes the reports, and returns one line for each skipped test. */
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
      env: this.#env,
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

/** Returns the last lines of a run: the skipped tests, then the summary. */
export function summarize({ passed, failed }: Tally, skips: readonly string[]): string {
  return [...skips, `${passed} passed, ${failed} failed`].join("\n");
}

/** Returns why a file fails even if all its tests passed. */
function describeProblem(child: ChildResult, cases: Case[] | undefined, limit: number): string | undefined {
  if (child.spawnError !== undefined) return `did not start: ${child.spawnError.message}`;
  if (child.timedOut) return `killed: still running after ${limit / 1000} s`;
  if (cases === undefined) return `ended without a report: exit code ${child.code}`;
  if (cases.length === 0) return "has no test";
  if (child.code !== 0 && only(cases, "failed").length === 0) return `exit code ${child.code} though no test failed`;
  const silent = only(cases, "skipped").find(({ name }) => !/ \[needs .+\]$/.test(name));
  return silent === undefined ? undefined : `skipped for no stated need: ${silent.name}`;
}

/** Returns the first test that only some runtimes register, or skip. */
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
