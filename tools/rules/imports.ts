// Copyright 2026 the Sluice authors. MIT license.

/** What may import what. */
import { posix } from "node:path";
import ts from "typescript";
import { isPublished, nodes, type Problem, problemAt, type Rule, type Source } from "./source.ts";

/** An import, a re-export, a dynamic import or an import type. */
export interface Import {
  /** What is imported, as written. */
  specifier: string;
  /** The path of the file, when the import is relative. */
  target: string | undefined;
  /** Whether nothing of it is left in JavaScript. */
  typeOnly: boolean;
  /** Where. */
  node: ts.Node;
}

/** Rooms of the library, from the bottom up. */
const rooms = ["switch", "flow", "net"];

/**
 * What optional layers may also import, beside their own folder and public surfaces: backends are a part of their room, and
 * one of them is the engine of `net/tls`;
 * `net/env` waits for signals as operations do, and knows every error of the library;
 * `flow/node` holds what backends and standard streams share, over the end of a stream that is no public thing, and bridges
 * with a home, which check what they are given;
 * `net/tls` opens and closes what it makes as sockets are, and is a bridge;
 * all three judge bytes, and what flows of others lend, as `flow` does;
 * `net/testing` makes networks and flows in memory, which count what they open as backends do.
 */
const privileges: Record<string, RegExp> = {
  "flow/node": /^(switch\/(check|clock|freeze)|flow\/(stream|stream_end|home|check|callback_scope|bytes|foreign))\.ts$/,
  "net/backends": /^((switch|flow|net)\/[^/]+|flow\/node\/.+|net\/tls\/(engine|errors|certificate_names)\.ts)$/,
  "net/env":
    /^(switch\/(check|scope|strays|text)\.ts|net\/backends\/.+|net\/tls\/errors\.ts|flow\/node\/.+|flow\/(bytes|operation|stream(_end)?)\.ts)$/,
  "net/tls":
    /^(switch\/(switch|clock|forgotten|freeze|ownership|check|text)\.ts|flow\/(stream|stream_end|home|label|operation|bytes|foreign)\.ts|net\/(open|options|domain_name|close_within|linger)\.ts|net\/backends\/node_tls\.ts)$/,
  "net/testing":
    /^(switch\/(check|clock|context|counter|freeze|text)|flow\/(label|operation|stream(_end)?)|net\/address)\.ts$/,
};

/** Every import of a file. */
export function importsOf(source: Source): Import[] {
  const imports: Import[] = [];
  for (const node of nodes(source.tree)) {
    const found = readImport(node);
    if (found === undefined) continue;
    const { specifier } = found;
    const target = /^\.\.?\//.test(specifier) ? posix.join(posix.dirname(source.path), specifier) : undefined;
    imports.push({ ...found, target, node });
  }
  return imports;
}

/** Dependencies point down: switch, flow, net; optional layers see public surfaces only. */
export const importDirection: Rule = (sources) =>
  sources.filter(isPublished).flatMap((source) =>
    importsOf(source).flatMap(({ target, node }) => {
      if (target === undefined || mayImport(source.path, target)) return [];
      return [problemAt(source, node, `${source.path} may not import ${target}`)];
    })
  );

/** No file imports itself, directly or through others. Imports of types only are no part of a cycle. */
export const noCycles: Rule = (sources) => {
  const edges = new Map(sources.map((source) => [source.path, importsOf(source).filter(({ typeOnly }) => !typeOnly)]));
  const done = new Set<string>();
  const problems: Problem[] = [];
  const visit = (source: Source, trail: readonly string[]) => {
    const path = [...trail, source.path];
    for (const { target, node } of edges.get(source.path) ?? []) {
      const next = sources.find((other) => other.path === target);
      if (next === undefined) continue;
      const start = path.indexOf(next.path);
      if (start >= 0) {
        problems.push(problemAt(source, node, `Import cycle: ${[...path.slice(start), next.path].join(" -> ")}`));
      } else if (!done.has(next.path)) visit(next, path);
    }
    done.add(source.path);
  };
  for (const source of sources) if (!done.has(source.path)) visit(source, []);
  return problems;
};

function mayImport(from: string, to: string): boolean {
  if (from === "mod.ts") return /^(switch|flow|net|net\/env)\/[^/]+$/.test(to);
  const [room, layer] = placeOf(from);
  const [targetRoom, targetLayer] = placeOf(to);
  if (!rooms.includes(targetRoom) || rooms.indexOf(targetRoom) > rooms.indexOf(room)) return false;
  if (layer === undefined) return targetLayer === undefined;
  if (targetRoom === room && targetLayer === layer) return true;
  if (privileges[`${room}/${layer}`]?.test(to)) return true;
  return posix.basename(to) === "mod.ts" && layer !== "backends" && targetLayer !== "backends";
}

/** The room of a file, and the optional layer in it: `net/tls/client.ts` is in `net` and `tls`. */
function placeOf(path: string): [room: string, layer: string | undefined] {
  const [room, ...rest] = path.split("/");
  return [room, rest.length > 1 ? rest[0] : undefined];
}

function readImport(node: ts.Node): { specifier: string; typeOnly: boolean } | undefined {
  if (ts.isImportDeclaration(node)) {
    // `import { type A }` still loads the module: only `import type` leaves nothing.
    const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return { specifier: textOf(node.moduleSpecifier), typeOnly };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    return { specifier: textOf(node.moduleSpecifier), typeOnly: node.isTypeOnly };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return { specifier: textOf(node.argument.literal), typeOnly: true };
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    return { specifier: textOf(node.arguments[0]), typeOnly: false };
  }
  return undefined;
}

function textOf(node: ts.Node | undefined): string {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : "(computed)";
}
