// Copyright 2026 the Sluice authors. MIT license.

/** What a cold process of Node pays to import the installed package, beyond the runtime and its own modules. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { runChild } from "../tests/_child.ts";

/** The processor time that an import costs. */
export interface ImportTime {
  /** Milliseconds beyond a program that imports the same `node:` modules. */
  readonly ownMs: number;
  /** Milliseconds beyond an empty program. */
  readonly allMs: number;
}

const leastRounds = 10;
const mostRounds = 40;

/** Prints the processor time of the process, in microseconds: the clock on the wall shows what else the machine does. */
const report = "const { user, system } = process.cpuUsage();\nconsole.log(user + system);\n";

/**
 * Measures the import of `entry` in `folder`, where the package is installed, in cold processes of `program`, a Node.
 * Each time is the best of several rounds, and there are more of these while the result is above `limit`.
 *
 * @throws {Error} When a process fails.
 */
export async function measureImport(
  program: string,
  folder: string,
  entry: string,
  limit: number,
): Promise<ImportTime> {
  const installed = join(folder, "node_modules/@sluice/io");
  const { name, exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const imports = {
    empty: [],
    modules: nodeModulesOf(installed, exports[entry].import),
    package: [entry.replace(".", name)],
  };
  for (const [file, specifiers] of Object.entries(imports)) {
    const text = specifiers.map((specifier) => `import "${specifier}";\n`).join("");
    writeFileSync(join(folder, `${file}.mjs`), text + report);
  }
  const best = { empty: Infinity, modules: Infinity, package: Infinity };
  const time = () => ({ ownMs: best.package - best.modules, allMs: best.package - best.empty });
  for (let round = 0; round < leastRounds || (round < mostRounds && time().ownMs > limit); round++) {
    for (const file of ["empty", "modules", "package"] as const) {
      best[file] = Math.min(best[file], await runOnce(program, `${file}.mjs`, folder));
    }
  }
  return time();
}

/** The `node:` modules that the file at `path` and what it imports import. */
function nodeModulesOf(installed: string, path: string): string[] {
  const found = new Set<string>();
  const files = new Set([join(installed, path)]);
  for (const file of files) {
    for (const specifier of importsOf(readFileSync(file, "utf8"))) {
      if (specifier.startsWith(".")) files.add(join(dirname(file), specifier));
      else found.add(specifier);
    }
  }
  return [...found].sort();
}

/** The processor time of one process, in milliseconds. */
async function runOnce(program: string, file: string, cwd: string): Promise<number> {
  const { code, spawnError, output } = await runChild([program, file], { limit: 60_000, cwd });
  const used = Number(output);
  if (code !== 0 || !(used > 0)) throw new Error(`Cannot measure ${file}: ${spawnError?.message ?? output}`);
  return used / 1000;
}

/** What a module imports, re-exports, or names in import types. */
export function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}
