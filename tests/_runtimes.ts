// Copyright 2026 the Sluice authors. MIT license.

/** The three runtimes: their paths, and how to run a test file. None is looked up on the PATH. */
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A runtime that runs test files. */
export interface Runtime {
  /** The name to print. */
  readonly name: string;
  /** The path of the executable. */
  readonly program: string;
  /**
   * Returns the command that runs the test file at `path` and writes a JUnit report to `report`.
   */
  testCommand(path: string, report: string): string[];
  /** Returns the command that runs the program at `path`. */
  runCommand(path: string): string[];
}

/** The repository's root. */
export const root: string = dirname(dirname(fileURLToPath(import.meta.url)));

/** Returns the supported runtimes. `npm install` installs all but Deno, whose path is passed. */
export function allRuntimes(deno: string): Runtime[] {
  const bunArch = process.arch === "arm64" ? "aarch64" : process.arch;
  return [
    denoRuntime(deno),
    bunRuntime(join(root, `node_modules/@oven/bun-linux-${bunArch}/bin/bun`)),
    nodeRuntime(join(root, `node_modules/node-linux-${process.arch}/bin/node`)),
  ];
}

/** Returns the path of Node 20, which runs only the packed library. */
export function oldNode(): string {
  return join(root, `node_modules/node-20-linux-${process.arch}/bin/node`);
}

/** Returns the runtime that runs this code. */
export function thisRuntime(): Runtime {
  if (process.versions.deno !== undefined) return denoRuntime(process.execPath);
  if (process.versions.bun !== undefined) return bunRuntime(process.execPath);
  return nodeRuntime(process.execPath);
}

function denoRuntime(program: string): Runtime {
  return {
    name: "deno",
    program,
    testCommand: (path, report) => [program, "test", "-A", "--no-check", `--junit-path=${report}`, path],
    runCommand: (path) => [program, "run", "-A", "--no-check", path],
  };
}

function bunRuntime(program: string): Runtime {
  return {
    name: "bun",
    program,
    testCommand: (path, report) => [program, "test", "--reporter=junit", `--reporter-outfile=${report}`, path],
    runCommand: (path) => [program, path],
  };
}

function nodeRuntime(program: string): Runtime {
  const reporters = (report: string) => [
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=junit",
    `--test-reporter-destination=${report}`,
  ];
  return {
    name: "node",
    program,
    testCommand: (path, report) => [program, ...reporters(report), path],
    runCommand: (path) => [program, path],
  };
}
