// Copyright 2026 the Sluice authors. MIT license.

/** Foreign programs on this machine. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** The path of the program `name`: what the variable `SLUICE_NAME` says, else what the PATH has, else `undefined`. */
export function findTool(name: string): string | undefined {
  const told = process.env[`SLUICE_${name.toUpperCase()}`];
  if (told !== undefined) return told;
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Those of `names` that the PATH does not have. */
export function missingTools(names: readonly string[]): string[] {
  return names.filter((name) => findTool(name) === undefined);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
