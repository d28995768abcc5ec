// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { test } from "../_test.ts";
import { startExample } from "./_program.ts";

test("webhook reaches the friendly host, and no internal service", async () => {
  await using program = startExample("webhook");
  assertEquals(await program.end, { status: 0, errors: "" });
  const lines = program.output.trimEnd().split("\n");
  const rows = lines.filter((line) => line.startsWith("http://"));
  assert(rows.length > 25, program.output);
  const hostile = rows.filter((row) => !/^http:\/\/(?:hooks|half)\.\S+\.example\/ /.test(row));
  assertEquals(hostile.filter((row) => !/ SECRET +permission_denied$/.test(row)), []);
  assertMatch(program.output, /^http:\/\/hooks\.customer\.example\/ +delivered +delivered$/m);
  assertMatch(program.output, /^http:\/\/half\.attacker\.example\/ +SECRET +delivered$/m);
  assertMatch(lines.at(-1) ?? "", /^an internal service was reached \d+ times, and 0 over publicOnly$/);
});
