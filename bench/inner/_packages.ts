// Copyright 2026 the Sluice authors. MIT license.

/** The packages of npm that a full run installs for itself. They have no types here, as nobody else needs them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { peersFolder } from "../_peers.ts";

// deno-lint-ignore no-explicit-any
type Untyped = any;

/** Effect 4; `undefined` when it is not installed. */
export const effect: Untyped = await load("effect/dist/index.js");

/** Effection 4; `undefined` when it is not installed. */
export const effection: Untyped = await load("effection/esm/mod.js");

async function load(path: string): Promise<Untyped> {
  const file = join(peersFolder, "node_modules", path);
  return existsSync(file) ? await import(pathToFileURL(file).href) : undefined;
}
