// Copyright 2026 the Sluice authors. MIT license.

/** The samples of the pages for users, as programs. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../_runtimes.ts";
import { type Program, startProgram } from "../examples/_program.ts";

/** Every sample in TypeScript of the page at `path` from the root, in order. */
export function samplesOf(path: string): string[] {
  const page = readFileSync(join(root, path), "utf8");
  return [...page.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code);
}

/**
 * Starts the one sample of the page that contains `mark`.
 *
 * @param changes What stands in the sample, and what the test puts in its place: a port, a path.
 * @throws {Error} When no sample contains `mark`, or several do, or what is to be changed is not there.
 */
export function startSample(path: string, mark: string, changes: Readonly<Record<string, string>> = {}): Program {
  const [sample, ...others] = samplesOf(path).filter((code) => code.includes(mark));
  if (sample === undefined || others.length > 0) {
    throw new Error(`${others.length + (sample === undefined ? 0 : 1)} samples of ${path} contain "${mark}"`);
  }
  let code = sample;
  for (const [text, replacement] of Object.entries(changes)) {
    if (!code.includes(text)) throw new Error(`The sample of ${path} with "${mark}" does not contain "${text}"`);
    code = code.replaceAll(text, replacement);
  }
  const dist = join(root, "dist"); // below the root, where the library has its name, and not in the repository
  mkdirSync(dist, { recursive: true });
  const folder = mkdtempSync(join(dist, "sample-"));
  const file = join(folder, "main.ts");
  writeFileSync(file, code);
  const program = startProgram(file);
  program.end.catch(() => {}).finally(() => rmSync(folder, { recursive: true, force: true }));
  return program;
}
