// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { runChild } from "./_child.ts";
import { root } from "./_runtimes.ts";
import { test } from "./_test.ts";
import { findTool } from "./_tools.ts";

/** The relevant part of the output of `deno lint --json`. */
interface Report {
  diagnostics: { code: string; filename: string; range: { start: { line: number; col: number } }; message: string }[];
  errors: unknown[];
}

const needs = { peers: ["deno"] } as const;
const header = "// Copyright 2026 the Sluice authors. MIT license.\n";

test("deno lint finds nothing in good sources", async () => {
  await assertRules({
    "mod.ts": 'export * from "./switch/mod.ts";\nexport * from "./net/env/run.ts";',
    "switch/mod.ts": "export class Switch { #x = 1; process(): number { return this.#x; } }",
    "switch/_context.ts": 'import { AsyncLocalStorage } from "node:async_hooks";\nexport { AsyncLocalStorage };',
    "flow/mod.ts":
      'import type { Switch } from "../switch/mod.ts";\n/** Deno and `process` in a comment. */\nexport type S = Switch;',
    "net/backends/node.ts": 'import process from "node:process";\nimport "../../switch/internal.ts";\nprocess.pid;',
    "net/env/run.ts":
      'import "../backends/internal.ts";\nimport "../mod.ts";\nimport "./env.ts";\nimport "../tls/mod.ts";',
    "net/backends/auto.ts": 'export const isDeno = typeof Deno !== "undefined" && "Deno" in globalThis;',
    "net/tls/_node_engine.ts": 'import "node:tls";\nimport type { TlsEngine } from "./_engine.ts";\nBuffer.from(x);',
    "net/tls/tls_client.ts": 'import "./_node_engine.ts";\nimport "../internal.ts";\nimport "../../flow/internal.ts";',
    "tests/_test.ts": 'import "node:test";',
    "tests/a.test.ts": 'import { test } from "./_test.ts";\nawait using x = f();\ntest("a", () => {});',
    "bridge/std/mod.ts": '// @ts-ignore: untyped\nimport * as x from "x";\nexport const y = x as any;',
  });
}, needs);

test("deno lint demands the licence", async () => {
  const wrong = `The first line is not "${header.trim()}"`;
  assertEquals(await lint({ "a.ts": "export {};\n", "a.mjs": `#!/usr/bin/env node\n${header}` }), [`a.ts:1: ${wrong}`]);
}, needs);

test("deno lint counts lines of code", async () => {
  const code = "f(\n  `a\n\n`);\n".repeat(75); // 4 lines each, one of them a blank line in a string
  const other = "// comment\n\n/**\n * @param x y\n */\n".repeat(200);
  await assertRules({ "flow/a.ts": other + code, "tests/b.ts": code + code });
  await assertRules({ "flow/a.ts": `${code}g();` }, "flow/a.ts:1: 301 lines of code: at most 300");
}, needs);

test("deno lint reports comments that switch checks off or put things off", async () => {
  await assertRules(
    {
      "tests/a.ts": "// @ts-ignore: x\nf();\n/* @ts-nocheck */\ng(/* TODO */ 1, `// FIXME`);\n// XXX\n",
      "tests/b.ts": "// deno-lint-ignore no-explicit-any\nf();\n// deno-lint-ignore sluice/fields\ng();\n",
    },
    "tests/a.ts:2: No @ts-ignore",
    "tests/a.ts:4: No @ts-nocheck",
    "tests/a.ts:5: No TODO comment",
    "tests/a.ts:6: No XXX comment",
    "tests/b.ts:4: No deno-lint-ignore sluice/",
  );
}, needs);

test("deno lint reports syntax that is not used here", async () => {
  await assertRules(
    {
      "flow/a.ts": [
        "enum E {}",
        "namespace N {}",
        "declare global {}",
        "const a = b as any;",
        "class C { private x = 1; constructor(readonly y: number) {} protected z() {} }",
        "function f() { using r = g(); }",
        "async function h() { await using r = g(); }",
      ].join("\n"),
    },
    "flow/a.ts:2: No enum",
    "flow/a.ts:3: No namespace, module or global augmentation",
    "flow/a.ts:4: No namespace, module or global augmentation",
    "flow/a.ts:5: No cast to any",
    "flow/a.ts:6: No private: use #fields",
    "flow/a.ts:6: No parameter property",
    "flow/a.ts:6: No protected: use #fields",
    "flow/a.ts:7: No using in library sources",
    "flow/a.ts:8: No using in library sources",
  );
}, needs);

test("deno lint reports tests that are not plain", async () => {
  await assertRules(
    {
      "tests/a.test.ts": 'import { test } from "node:test";\ntest.only("a", f);\nit.skip("b", f);\nDeno.test("c", f);',
      "tests/b.test.ts": 'await import("bun:test");\nrequire("node:test");\nconst text = "node:test";',
    },
    'tests/a.test.ts:2: Only tests/_test.ts imports "node:test"',
    "tests/a.test.ts:3: No .only()",
    "tests/a.test.ts:4: No .skip()",
    "tests/a.test.ts:5: No Deno.test()",
    'tests/b.test.ts:2: Only tests/_test.ts imports "bun:test"',
    'tests/b.test.ts:3: Only tests/_test.ts imports "node:test"',
  );
}, needs);

test("deno lint reports imports from outside", async () => {
  await assertRules(
    {
      "flow/a.ts": 'import "@std/assert";\nimport "node:net";\nimport "./b.js";\nawait import(name);',
      "net/backends/a.ts": 'import "npm:x";\nimport "bun:ffi";',
      "net/tls/a.ts": 'import "node:tls";',
    },
    'flow/a.ts:2: Published sources import nothing from outside: "@std/assert"',
    'flow/a.ts:3: Only the rooms for it import "node:net"',
    'flow/a.ts:4: Import "./b.js" does not end in .ts',
    'flow/a.ts:5: Published sources import nothing from outside: "(computed)"',
    'net/backends/a.ts:2: Published sources import nothing from outside: "npm:x"',
    'net/tls/a.ts:2: Only the rooms for it import "node:tls"',
  );
}, needs);

test("deno lint reports names of runtimes, and questions about them", async () => {
  const sniffing = "Only net/backends/auto.ts asks which runtime this is";
  await assertRules(
    {
      "net/a.ts": "Deno.pid;\nprocess.pid;\nBuffer.from(x);\nlet b: Bun.Socket;",
      "net/backends/a.ts":
        'typeof Bun;\nx["Deno"];\nglobalThis.process;\nprocess.versions.bun;\nnavigator.userAgent;\nx[`Bun`];\nDeno.pid;',
      "net/tls/a.ts": "Buffer.from(x);",
    },
    "net/a.ts:2: Only the rooms for it name Deno",
    "net/a.ts:3: Only the rooms for it name process",
    "net/a.ts:4: Only the rooms for it name Buffer",
    "net/a.ts:5: Only the rooms for it name Bun",
    ...[2, 3, 4, 5, 6, 7].map((line) => `net/backends/a.ts:${line}: ${sniffing}`),
    "net/tls/a.ts:2: Only the rooms for it name Buffer",
  );
  await assertRules(
    { "net/a.ts": "globalThis.Deno;" },
    `net/a.ts:2: ${sniffing}`,
    "net/a.ts:2: Only the rooms for it name Deno",
  );
}, needs);

test("deno lint reports delays, turns and random numbers that come from the system", async () => {
  const rule = (name: string) =>
    `Time and chance come from a Clock, switch/_context.ts or base/_random.ts, not from ${name}`;
  const text = [
    'import { setTimeout as later } from "node:timers";',
    "setTimeout(f, 1);\nsetImmediate(f);\nglobalThis.setInterval(f, 1);",
    "Math.random();\nconst random = Math.random;\nDate.now();\nperformance.now();\nnew Date();",
    "crypto.getRandomValues(x);",
  ].join("\n");
  await assertRules(
    { "flow/node/a.ts": text },
    ...[
      "node:timers",
      "setTimeout",
      "setImmediate",
      "setInterval",
      "Math.random",
      "Math.random",
      "Date.now",
      "performance.now",
      "new Date()",
      "crypto.getRandomValues",
    ].map((name, i) => `flow/node/a.ts:${i + 2}: ${rule(name)}`),
  );
  await assertRules({
    "flow/node/a.ts":
      "class D { setTimeout(ms: number): void {} }\nduplex.setTimeout(5);\nqueueMicrotask(f);\nnew Date(5);",
    "switch/_context.ts": text,
    "base/_random.ts": "Math.random();",
    "net/backends/node/a.ts": text,
    "net/env/a.ts": text,
    "tests/a.test.ts": "setTimeout(f, 1);",
  });
}, needs);

test("deno lint reports badly worded errors", async () => {
  await assertRules(
    {
      "net/a.ts": [
        'throw new TypeError("cannot x");',
        "throw new RangeError(`Cannot take ${n} bytes.`);",
        "throw new Halted(`${name} doesn't work`);",
        'class Halted extends Stopped { constructor(message: string) { super("it\'s " + message); } }',
        "class Stopped extends Error {}",
        "class Coded extends Error { constructor(code: string, message: string) { super(`Cannot ${code}`); } }",
        'throw new Coded("refused", "Cannot connect!");',
        'throw new AggregateError(list, "all failed");',
        'throw new Coded("refused", `Cannot connect to "${x}": connection refused`);',
        'throw new NotOne("lower.");',
        "throw new TypeError(`${x} is not a port`);",
        'throw new DOMException("Cannot do it", "AbortError");',
        'throw new OtherError("lower");',
        'function f() { class Inner extends Error {} throw new Inner("lower"); }',
        'throw new NetError("refused", options);',
      ].join("\n"),
    },
    "net/a.ts:2: Error message does not start with a capital letter",
    "net/a.ts:3: Error message ends with a full stop or the like",
    "net/a.ts:4: Error message has a contraction",
    "net/a.ts:5: Error message does not start with a capital letter",
    "net/a.ts:5: Error message has a contraction",
    "net/a.ts:8: Error message ends with a full stop or the like",
    "net/a.ts:9: Error message does not start with a capital letter",
    "net/a.ts:14: Error message does not start with a capital letter",
    "net/a.ts:15: Error message does not start with a capital letter",
  );
}, needs);

test("deno lint reports defaults of options that users may leave out", async () => {
  const text = [
    "export function a(options: X = {}): void {}",
    "export class B { constructor({ size }: X = {}) {} c(x: number, options: X = {}): void {} }",
    "export const d = (options: X = {}): void => {};",
    "export function e(options?: X, size = 1): void { const f = (options: X = {}) => {}; }",
    "function g(options: X = {}): void {}",
    "class H { i(options: X = {}): void {} }",
  ].join("\n");
  await assertRules(
    { "flow/a.ts": text, "tests/a.ts": text },
    'flow/a.ts:2: Write "options?:" instead of a default of {}',
    'flow/a.ts:3: Write "options?:" instead of a default of {}',
    'flow/a.ts:3: Write "options?:" instead of a default of {}',
    'flow/a.ts:4: Write "options?:" instead of a default of {}',
  );
}, needs);

/** Lints `files`, each with the licence prepended, so that its own first line is line 2. */
async function assertRules(files: Record<string, string>, ...expected: string[]): Promise<void> {
  const entries = Object.entries(files).map(([path, text]) => [path, `${header}${text}\n`]);
  assertEquals(await lint(Object.fromEntries(entries)), expected);
}

/** Returns the reports of `deno lint` for `files`, in a repository that has only our rules. */
async function lint(files: Record<string, string>): Promise<string[]> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "sluice-lint-")));
  try {
    const config = { lint: { plugins: ["./tools/lint.ts"], rules: { tags: [] } } };
    for (const [path, text] of Object.entries({ ...files, "deno.json": JSON.stringify(config) })) {
      mkdirSync(join(folder, dirname(path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    mkdirSync(join(folder, "tools"));
    copyFileSync(join(root, "tools/lint.ts"), join(folder, "tools/lint.ts"));
    const command = [findTool("deno") ?? "deno", "lint", "--json", ...Object.keys(files)];
    const { output } = await runChild(command, { limit: 60_000, cwd: folder });
    const { diagnostics, errors }: Report = JSON.parse(output.slice(output.indexOf("{")));
    assertEquals(errors, []);
    const order = Object.keys(files);
    return diagnostics.filter(({ code }) => code.startsWith("sluice/")).map(({ filename, range, message }) => {
      const path = relative(folder, filename.startsWith("file:") ? fileURLToPath(filename) : filename);
      return { path, ...range.start, message };
    }).sort((a, b) => order.indexOf(a.path) - order.indexOf(b.path) || a.line - b.line || a.col - b.col)
      .map(({ path, line, message }) => `${path}:${line}: ${message}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
