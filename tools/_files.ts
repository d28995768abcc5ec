// Copyright 2026 the Sluice authors. MIT license.

/** The repository's own files. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root: string = dirname(dirname(fileURLToPath(import.meta.url)));

/** Folders that hold no source of ours. */
const foreign = ["node_modules", "dist", ".git"];

/** The paths, from the root, of all files below `folder` whose name ends with one of `endings`, sorted. */
export function findFiles(endings: readonly string[], folder = ""): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return foreign.includes(entry.name) ? [] : findFiles(endings, path);
    return endings.some((ending) => entry.name.endsWith(ending)) ? [path] : [];
  }).sort();
}

/** The text of the file at `path` from the root. */
export function readText(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** What `deno.json` says that the tools need. */
export interface Manifest {
  /** The package's name. */
  name: string;
  /** Its version. */
  version: string;
  /** Files by entry point: `./flow` is `./flow/mod.ts`. */
  exports: Record<string, string>;
}

/** Reads `deno.json`. */
export function readManifest(): Manifest {
  return JSON.parse(readText("deno.json"));
}
