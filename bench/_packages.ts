// Copyright 2026 the Sluice authors. MIT license.

/** Packages of npm that the benches use, in a folder of their own. */
import { join } from "node:path";
import process from "node:process";
import { runChild } from "../tests/_child.ts";
import { root } from "../tests/_runtimes.ts";

/** Where they are installed. */
export const packagesFolder: string = join(root, "dist/bench");

/** The library there, as Node's users have it. */
export const packagePath: string = join(packagesFolder, "node_modules/@sluice/io/mod.js");

/** What stands beside the library: versions by name. */
export const packages: Readonly<Record<string, string>> = { effect: "4.1.0" };

/** Installs what stands beside the library, and the library itself as it is now. */
export async function installPackages(others: boolean, own: boolean): Promise<void> {
  const specifiers = others ? Object.entries(packages).map(([name, version]) => `${name}@${version}`) : [];
  if (own) {
    const tarball = join(packagesFolder, "sluice.tgz");
    await run(process.execPath, "run", "-A", join(root, "tools/pack.ts"), tarball);
    specifiers.push(`file:${tarball}`);
  }
  if (specifiers.length === 0) return;
  await run("npm", "install", "--prefix", packagesFolder, "--no-audit", "--no-fund", "--loglevel=error", ...specifiers);
}

async function run(...command: string[]): Promise<void> {
  const { code, output, spawnError } = await runChild(command, { limit: 300_000 });
  if (code !== 0) throw new Error(`Cannot run ${command.join(" ")}: ${spawnError?.message ?? output}`);
}
