// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { checkImports } from "../tools/imports.ts";
import { test } from "./_test.ts";

const allowed = {
  "mod.ts": 'export * from "./switch/mod.ts";\nexport * from "./net/env/mod.ts";',
  "switch/_scope.ts": 'import "../base/internal.ts";\n// import "../flow/mod.ts";',
  "switch/mod.ts": 'export { Switch } from "./_scope.ts";',
  "flow/buffered/mod.ts": 'import { type Source } from "../internal.ts";',
  "flow/internal.ts": 'export type { Source } from "./types.ts";',
  "flow/types.ts": 'import type { Switch } from "../switch/internal.ts";',
  "flow/mod.ts": 'export * from "./buffered/mod.ts";\nexport * from "./types.ts";',
  "net/backends/node/internal.ts": 'import "../shared/internal.ts";',
};

test("checkImports() finds nothing where each room imports itself and the front doors of those below", () => {
  assertEquals(checkImports(allowed), []);
});

for (
  const [from, to, text] of [
    ["switch/a.ts", "flow/mod.ts", 'import type { F } from "../flow/mod.ts";'],
    ["flow/a.ts", "flow/buffered/mod.ts", 'export {\n  a,\n} from "./buffered/mod.ts";'],
    ["flow/a.ts", "net/a.ts", 'let x: import("../net/a.ts").X;'],
    ["flow/node/a.ts", "flow/pipe.ts", 'import "../pipe.ts";'],
    ["flow/mod.ts", "flow/buffered/buf_reader.ts", 'export * from "./buffered/buf_reader.ts";'],
    ["net/mod.ts", "tests/mod.ts", 'await import("../tests/mod.ts");'],
    ["net/tls/a.ts", "net/env/internal.ts", 'import { type A } from "../env/internal.ts";'],
  ]
) {
  test(`checkImports() reports an import of ${to} by ${from}`, () => {
    assertEquals(checkImports({ [from]: text }), [`${from} may not import ${to}`]);
  });
}

test("checkImports() reports circles, those of types too", () => {
  assertEquals(
    checkImports({
      "flow/a.ts": 'import type { B } from "./b.ts";',
      "flow/b.ts": 'export * from "./c.ts";',
      "flow/c.ts": 'import "./a.ts";',
    }),
    ["Import circle: flow/a.ts -> flow/b.ts -> flow/c.ts -> flow/a.ts"],
  );
});

test("checkImports() reports a room that is too full, and a file that is in none", () => {
  const files = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`flow/a${i}.ts`, ""]));
  assertEquals(checkImports({ ...files, "flow/new/a.ts": "" }), [
    "flow/new/a.ts: no room of the library",
    "flow: 21 files: at most 20",
  ]);
});

test("checkImports() reports a name that two files export", () => {
  assertEquals(
    checkImports({
      "flow/a.ts": "export function f(): void;\nexport function f(x?: 1): void {}",
      "flow/b.ts": "export interface f {}",
      "flow/mod.ts": 'export { f } from "./a.ts";',
    }),
    ["flow/b.ts exports f, and so does flow/a.ts"],
  );
});
