// Copyright 2026 the Sluice authors. MIT license.

/** How long a cold process takes to import the installed package, beyond the runtime and its own modules. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runChild } from "../tests/_child.ts";
import { importsOf } from "./rules/imports.ts";
import { parseSource } from "./rules/source.ts";

/** The time that an import costs. */
export interface ImportTime {
  /** Milliseconds beyond a program that imports the same `node:` modules. */
  readonly ownMs: number;
  /** Milliseconds beyond an empty program. */
  readonly allMs: number;
}

const leastRounds = 8;
const mostRounds = 40;

/**
 * Measures `import "<name of the package><entry without its dot>"` in `folder`, where the package is installed, in cold
 * processes of `command`. Each time is the best of several rounds, and there are more of these while the result is above
 * `limit`, so that other work on the machine does not decide.
 *
 * @throws {Error} When a program fails.
 */
export async function measureImport(
  command: readonly string[],
  folder: string,
  entry: string,
  limit: number,
): Promise<ImportTime> {
  const installed = join(folder, "node_modules/@sluice/io");
  const { name, exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const programs = {
    empty: [],
    modules: nodeModulesOf(installed, exports[entry].import),
    package: [entry.replace(".", name)],
  };
  for (const [program, specifiers] of Object.entries(programs)) {
    const text = specifiers.map((specifier) => `import "${specifier}";\n`).join("");
    writeFileSync(join(folder, `${program}.mjs`), text);
  }
  const best = { empty: Infinity, modules: Infinity, package: Infinity };
  const time = () => ({ ownMs: best.package - best.modules, allMs: best.package - best.empty });
  for (let round = 0; round < leastRounds || (round < mostRounds && time().ownMs > limit); round++) {
    for (const program of ["empty", "modules", "package"] as const) {
      best[program] = Math.min(best[program], await runOnce([...command, `${program}.mjs`], folder));
    }
  }
  return time();
}

/** The `node:` modules that the file at `path` and what it imports import. */
function nodeModulesOf(installed: string, path: string): string[] {
  const found = new Set<string>();
  const files = new Set([join(installed, path)]);
  for (const file of files) {
    for (const { specifier, target } of importsOf(parseSource(file, readFileSync(file, "utf8")))) {
      if (target === undefined) found.add(specifier);
      else files.add(join(dirname(file), specifier));
    }
  }
  return [...found].sort();
}

async function runOnce(command: readonly string[], cwd: string): Promise<number> {
  const { code, ms, spawnError, output } = await runChild(command, { limit: 60_000, cwd });
  if (code !== 0) throw new Error(`Cannot measure ${command.join(" ")}: ${spawnError?.message ?? output}`);
  return ms;
}
