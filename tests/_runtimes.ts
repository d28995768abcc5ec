// Copyright 2026 the Sluice authors. MIT license.

/** The three runtimes: where each is, and how it runs a test file. None is looked up on the PATH. */
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A runtime that runs test files. */
export interface Runtime {
  /** As it is printed. */
  readonly name: string;
  /** The path of its program. */
  readonly program: string;
  /** The command that runs the test file at `path` and writes a JUnit report to `report`. */
  testCommand(path: string, report: string): string[];
  /** The command that runs the program at `path`. */
  runCommand(path: string): string[];
}

/** The repository's root. */
export const root: string = dirname(dirname(fileURLToPath(import.meta.url)));

/** Every runtime that the library supports. `npm install` brings all but Deno, whose path the caller knows. */
export function allRuntimes(deno: string): Runtime[] {
  const bunArch = process.arch === "arm64" ? "aarch64" : process.arch;
  return [
    denoRuntime(deno),
    bunRuntime(join(root, `node_modules/@oven/bun-linux-${bunArch}/bin/bun`)),
    nodeRuntime(join(root, `node_modules/node-linux-${process.arch}/bin/node`)),
  ];
}

/** The path of Node 20, which runs the packed library only. */
export function oldNode(): string {
  return join(root, `node_modules/node-20-linux-${process.arch}/bin/node`);
}

/** The runtime that runs this very code. */
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
    testCommand: (path, report) => [program, "--test", "--test-isolation=none", ...reporters(report), path],
    runCommand: (path) => [program, path],
  };
}
