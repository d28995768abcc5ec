// Copyright 2026 the Sluice authors. MIT license.

/**
 * What stands beside the library and is not of a runtime: programs in Go and C, compiled into `dist/bench/`, and packages of npm, installed there. What is
 * missing is left out, and the table says so.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { runChild } from "../tests/_child.ts";
import { root, type Runtime } from "../tests/_runtimes.ts";
import { findTool } from "../tests/_tools.ts";

/** Where everything goes. It is in no package and no commit. */
export const peersFolder: string = join(root, "dist/bench");

/** What is installed there from npm, by a full run. */
const packages = ["effect@4.1.0", "effection@4.1.1"];

/** Debian's packages, by the program that is needed of each. */
const debian = { gcc: "gcc", go: "golang-go" };

/** How long a compiler or an installer may take, in milliseconds. */
const patience = 300_000;

/** What runs compiled programs: their sources are named as scripts are. */
export const native: Runtime = {
  name: "native",
  program: "",
  testCommand: () => [],
  runCommand: (path) => [join(peersFolder, basename(path).replace(".", "_"))],
};

/** Compiles what can be compiled, and installs the rest before when it is told to. Gives the versions of what there is. */
export async function preparePeers(install: boolean): Promise<Record<string, string>> {
  mkdirSync(peersFolder, { recursive: true });
  if (install) {
    await installTools();
    await tell(["npm", "install", "--prefix", peersFolder, "--no-audit", "--no-fund", "--loglevel=error", ...packages]);
  }
  const compile = async (tool: string, command: string[], source: string) => {
    const path = join(root, "bench", source);
    const [output] = native.runCommand(path);
    if (findTool(tool) === undefined || (existsSync(output) && isNewer(output, path))) return;
    await tell([...command, output, path]);
  };
  const gcc = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o"];
  await compile("gcc", gcc, "bare/echo.c");
  await compile("gcc", gcc, "load/load.c");
  await compile("go", ["go", "build", "-o"], "bare/echo.go");
  const versions: Record<string, string> = {
    gcc: await versionOf(["gcc", "--version"]),
    go: await versionOf(["go", "version"]),
    ...Object.fromEntries(packages.filter(isInstalled).map((name) => name.split("@") as [string, string])),
  };
  return Object.fromEntries(Object.entries(versions).filter(([, version]) => version !== ""));
}

/** By `apt-get`, where there is one and it may be used. */
async function installTools(): Promise<void> {
  const wanted = Object.entries(debian).filter(([tool]) => findTool(tool) === undefined).map(([, name]) => name);
  if (wanted.length === 0 || findTool("apt-get") === undefined || process.getuid?.() !== 0) return;
  await tell(["apt-get", "update", "-q"]);
  await tell(["apt-get", "install", "-qy", ...wanted, "libc6-dev"]);
}

/** Runs a command, and says so when it fails: what it was to bring is missing then. */
async function tell(command: readonly string[]): Promise<void> {
  const { code, output, spawnError } = await runChild(command, { limit: patience });
  if (code !== 0) console.error(`Cannot run ${command.join(" ")}: ${spawnError?.message ?? output.trim()}`);
}

async function versionOf(command: readonly string[]): Promise<string> {
  const { code, output } = await runChild(command, { limit: 10_000 });
  return code === 0 ? /\d+(\.\d+)+/.exec(output)?.[0] ?? "unknown" : "";
}

function isInstalled(name: string): boolean {
  return existsSync(join(peersFolder, "node_modules", name.split("@")[0]));
}

function isNewer(path: string, other: string): boolean {
  return statSync(path).mtimeMs > statSync(other).mtimeMs;
}
