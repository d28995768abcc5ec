// Copyright 2026 the Sluice authors. MIT license.

/** Foreign programs on this machine. */
import { accessSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** Debian's folder for the programs of PostgreSQL, with a folder for each version. */
const postgresFolder = "/usr/lib/postgresql";

/**
 * Returns the path of the program `name`: the variable `SLUICE_NAME`, or else the program on the
 * PATH or in PostgreSQL's folder, or else `undefined`.
 */
export function findTool(name: string): string | undefined {
  const told = process.env[`SLUICE_${name.toUpperCase()}`];
  if (told !== undefined) return told;
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...postgresFolders()];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Returns those of `names` that are not on the PATH. */
export function missingTools(names: readonly string[]): string[] {
  return names.filter((name) => findTool(name) === undefined);
}

function postgresFolders(): string[] {
  try {
    return readdirSync(postgresFolder).map((version) => join(postgresFolder, version, "bin"));
  } catch {
    return []; // it is not installed
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
