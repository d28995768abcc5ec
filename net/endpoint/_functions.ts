// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkRecord, describe } from "../../base/internal.ts";

/**
 * Checks an object of functions, and returns its entries.
 *
 * @param use What the key of each is for, in errors: "with a rewrite of".
 */
export function functionsOf<F>(action: string, name: string, record: Record<string, F>, use: string): [string, F][] {
  checkRecord(action, name, record);
  const entries = Object.entries(record);
  for (const [key, fn] of entries) checkFunction(`${action} ${use} ${describe(key)}`, fn);
  return entries;
}
