// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { test } from "../_test.ts";
import { startExample } from "./_program.ts";

test("confined_plugin reaches its API host, and nothing else", async () => {
  await using program = startExample("confined_plugin");
  assertEquals(await program.end, { status: 0, errors: "" });
  const lines = program.output.trimEnd().split("\n");
  assert(lines.length > 100, program.output);
  assertMatch(program.output, /^connect to 169\.254\.169\.254 +permission_denied$/m);
  assertMatch(program.output, /^connect to the address of the API +permission_denied$/m);
  const refusal = / (permission_denied|SyntaxError|TypeError|DataCloneError)$/;
  assertEquals(lines.slice(0, -2).filter((line) => !refusal.test(line)), []);
  assertEquals(lines.at(-2), "the API says hello");
  assertMatch(lines.at(-1) ?? "", /^the owner has heard of \d+ denials; 0 attempts got anywhere$/);
});
