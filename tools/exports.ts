// Copyright 2026 the Sluice authors. MIT license.

/**
 * Compares what each entry point exports with `tests/exports.json`, types included: `deno run -A tools/exports.ts`.
 * With `--write` it writes the list anew, for when a change is meant.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { runChild } from "../tests/_child.ts";
import { readManifest, readText, root } from "./_files.ts";

/** What an entry point exports, sorted. A class is a value; a name may be both. */
interface Exports {
  values: string[];
  types: string[];
}

/** The part of `deno doc --json` that matters here. */
interface Doc {
  nodes: Record<string, { symbols: { name: string; declarations: { declarationKind: string; kind: string }[] }[] }>;
}

const list = "tests/exports.json";
const typeKinds = ["interface", "typeAlias"];

async function readExports(path: string): Promise<Exports> {
  const child = await runChild([process.execPath, "doc", "--quiet", "--json", path], { limit: 60_000, cwd: root });
  if (child.code !== 0) throw new Error(`Cannot read the exports of ${path}: ${child.output}`);
  const doc: Doc = JSON.parse(child.output);
  const symbols = Object.values(doc.nodes).flatMap((node) => node.symbols);
  const namesWith = (isWanted: (kind: string) => boolean) =>
    symbols.filter(({ declarations }) =>
      declarations.some(({ declarationKind, kind }) => declarationKind === "export" && isWanted(kind))
    ).map(({ name }) => name).sort();
  return {
    values: namesWith((kind) => !typeKinds.includes(kind)),
    types: namesWith((kind) => typeKinds.includes(kind)),
  };
}

function describeChanges(entry: string, before: Exports | undefined, now: Exports): string[] {
  return (["values", "types"] as const).flatMap((kind) => {
    const old = before?.[kind] ?? [];
    const added = now[kind].filter((name) => !old.includes(name)).map((name) => `${entry}: ${name} is new in ${kind}`);
    const gone = old.filter((name) => !now[kind].includes(name)).map((name) =>
      `${entry}: ${name} is gone from ${kind}`
    );
    return [...added, ...gone];
  });
}

const found: Record<string, Exports> = {};
for (const [entry, path] of Object.entries(readManifest().exports)) found[entry] = await readExports(path);

if (process.argv.includes("--write")) {
  writeFileSync(join(root, list), `${JSON.stringify(found, null, 2)}\n`);
} else {
  const pinned: Record<string, Exports> = JSON.parse(readText(list));
  const changes = Object.entries(found).flatMap(([entry, now]) => describeChanges(entry, pinned[entry], now));
  for (const change of changes) console.log(change);
  if (changes.length > 0) console.log(`If that is meant: deno run -A tools/exports.ts --write`);
  process.exitCode = changes.length === 0 ? 0 : 1;
}
