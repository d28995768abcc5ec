// Copyright 2026 the Sluice authors. MIT license.

import type { Scope } from "./scope.ts";
import { escapeText, quoteText } from "./text.ts";

/** The most levels by which a line is indented. */
const deepest = 50;

/** How many characters of a label are shown. */
const longestLabel = 200;

/** The tree under `scope`: a line for each scope, operation and resource. */
export function dumpScope(scope: Scope, resources: (sw: object) => readonly string[]): string {
  const lines: string[] = [];
  // No recursion, which would overflow in a deep tree.
  const rest: { readonly scope: Scope; readonly depth: number }[] = [{ scope, depth: 0 }];
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { scope, depth } = next;
    const indent = "  ".repeat(Math.min(depth, deepest));
    const add = (kind: string, label: string) => lines.push(`${indent}  ${kind}: ${escapeText(label, longestLabel)}`);
    lines.push(indent + titleOf(scope));
    for (const operation of scope.waiting()) add("waiting", operation);
    if (scope.owner !== undefined) { for (const label of resources(scope.owner)) add("resource", label); }
    for (const child of scope.children().reverse()) rest.push({ scope: child, depth: depth + 1 });
  }
  return lines.join("\n");
}

function titleOf({ kind, owner, reason }: Scope): string {
  const { name } = (owner ?? {}) as { readonly name?: string };
  return kind + (name === undefined ? "" : ` ${quoteText(name)}`) + (reason === undefined ? "" : " (cancelled)");
}
