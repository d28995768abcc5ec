// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./_runtimes.ts";
import { test } from "./_test.ts";

/** Written by `deno run -A tools/exports.ts --write`, which also checks the types. */
const pinned: Record<string, { values: string[] }> = readJson("tests/exports.json");
const denoJson = readJson("deno.json");
const packageJson = readJson("package.json");

for (const [entry, { values }] of Object.entries(pinned)) {
  const specifier = entry.replace(".", denoJson.name);
  test(`${specifier} exports what is listed`, async () => {
    assertEquals(Object.keys(await import(specifier)).sort(), values);
  });
}

test("deno.json, package.json and the list name the same entry points", () => {
  assertEquals(packageJson.exports, denoJson.exports);
  assertEquals(Object.keys(pinned), Object.keys(denoJson.exports));
});

test("deno.json and package.json agree about name, version and licence", () => {
  for (const field of ["name", "version", "license"]) assertEquals(packageJson[field], denoJson[field]);
});

function readJson(path: string) {
  return JSON.parse(readFileSync(join(root, path), "utf8"));
}
