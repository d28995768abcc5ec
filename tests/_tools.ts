// Copyright 2026 the Sluice authors. MIT license.

/** Foreign programs on this machine. */
import { accessSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** Where Debian keeps the programs of PostgreSQL, a folder for each version. */
const postgresFolder = "/usr/lib/postgresql";

/**
 * The path of the program `name`: what the variable `SLUICE_NAME` says, else what the PATH or PostgreSQL's own folder
 * has, else `undefined`.
 */
export function findTool(name: string): string | undefined {
  const told = process.env[`SLUICE_${name.toUpperCase()}`];
  if (told !== undefined) return told;
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...postgresFolders()];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Those of `names` that the PATH does not have. */
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
