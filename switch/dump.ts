// Copyright 2026 the Sluice authors. MIT license.

import type { Scope } from "./scope.ts";
import { internals, type Switch } from "./switch.ts";

/** The tree under `scope`, one line for each scope, operation and resource. */
export function dumpScope(scope: Scope, depth: number): string[] {
  const indent = "  ".repeat(depth);
  const sw = scope.owner as Switch | undefined;
  const state = scope.reason === undefined ? "" : " (cancelled)";
  const lines = [`${indent}${scope.kind}${sw?.name === undefined ? "" : ` ${JSON.stringify(sw.name)}`}${state}`];
  for (const operation of scope.waiting()) lines.push(`${indent}  waiting: ${operation}`);
  if (sw !== undefined) { for (const label of internals.resources(sw)) lines.push(`${indent}  resource: ${label}`); }
  for (const child of scope.children()) lines.push(...dumpScope(child, depth + 1));
  return lines;
}
