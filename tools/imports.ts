// Copyright 2026 the Sluice authors. MIT license.

/** What may import what: `deno run -A tools/imports.ts`. */
import { posix } from "node:path";
import process from "node:process";
import { findFiles, readText } from "./_files.ts";

/** The rooms of the library, from the bottom up: what a room imports stands before it. */
export const rooms: readonly string[] = [
  "base",
  "switch",
  "flow",
  "flow/buffered",
  "flow/web",
  "flow/node",
  "net",
  "net/provider",
  "net/serve",
  "net/wrap",
  "net/blocks",
  "net/confine/addresses",
  "net/confine",
  "net/server",
  "net/pool",
  "net/managed",
  "net/observe",
  "net/backends/shared",
  "net/backends/dns",
  "net/backends/unix",
  "net/backends/node",
  "net/backends/bun",
  "net/backends/deno",
  "net/backends",
  "net/tls",
  "net/endpoint",
  "net/http",
  "net/http/fetch",
  "net/wintertc",
  "net/env",
  "net/workers",
  "net/testing/memory",
  "net/testing/mock",
  "net/testing",
  "net/testing/simulate/engine",
  "net/testing/simulate/stack",
  "net/testing/simulate",
  "net/testing/check_flow",
  "net/testing/check_net",
  ".",
];

/** The most files in a room. */
const mostFiles = 20;

const { basename, dirname, join } = posix;

/** The paths that a file imports or re-exports from, types included. */
export function importsOf(path: string, text: string): string[] {
  const code = text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
  const found = code.matchAll(/^(?:import|export)\s(?:[^;"]*?from\s+)?"(\.[^"]*)"|\bimport\(\s*"(\.[^"]*)"\s*\)/gm);
  return [...found].map(([, from, dynamic]) => join(dirname(path), from ?? dynamic));
}

/** Whether `from` may import `to`: its own room, and the front doors of the rooms below; a `mod.ts` may export those of its own subfolders. */
function mayImport(from: string, to: string): boolean {
  const [room, other] = [dirname(from), dirname(to)];
  if (room === other) return true;
  if (basename(to) !== "mod.ts" && basename(to) !== "internal.ts") return false;
  const [place, otherPlace] = [rooms.indexOf(room), rooms.indexOf(other)];
  return (otherPlace >= 0 && otherPlace < place) || (basename(from) === "mod.ts" && other.startsWith(`${room}/`));
}

/** Every import of the library that is not allowed, every circle, every room that is too full, and every name that means two things. */
export function checkImports(files: Readonly<Record<string, string>>): string[] {
  const imports = new Map(Object.entries(files).map(([path, text]) => [path, importsOf(path, text)]));
  const problems: string[] = [];
  for (const [path, targets] of imports) {
    if (!rooms.includes(dirname(path))) problems.push(`${path}: no room of the library`);
    for (const to of targets) if (!mayImport(path, to)) problems.push(`${path} may not import ${to}`);
  }
  for (const room of rooms) {
    const count = Object.keys(files).filter((path) => dirname(path) === room).length;
    if (count > mostFiles) problems.push(`${room}: ${count} files: at most ${mostFiles}`);
  }
  return [...problems, ...circlesIn(imports), ...doubleNames(files)];
}

/** Every name that two files export for different things. */
function doubleNames(files: Readonly<Record<string, string>>): string[] {
  const homes = new Map<string, string>();
  const problems: string[] = [];
  for (const [path, text] of Object.entries(files)) {
    for (const [, name] of text.matchAll(/^export (?:async )?(?:type|interface|class|function\*?|const|let) (\w+)/gm)) {
      const home = homes.get(name);
      // Overloads of one function are one thing.
      if (home !== undefined && home !== path) problems.push(`${path} exports ${name}, and so does ${home}`);
      else homes.set(name, path);
    }
  }
  return problems;
}

function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) return void circles.push(`Import circle: ${[...trail.slice(start), path].join(" -> ")}`);
    if (done.has(path)) return;
    for (const to of imports.get(path) ?? []) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return circles;
}

if (import.meta.main) {
  const folders = rooms.map((room) => room.split("/")[0]).filter((folder) => folder !== ".");
  const paths = ["mod.ts", ...[...new Set(folders)].flatMap((folder) => findFiles([".ts"], folder))];
  const problems = checkImports(Object.fromEntries(paths.map((path) => [path, readText(path)])));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
