// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { withFolder } from "../_helpers.ts";
import { test } from "../_test.ts";
import { checkTrace } from "../net/observe/_trace_format.ts";
import { startExample } from "./_program.ts";

test("tour serves 204 connections, checks every reply and leaves nothing open", () =>
  withFolder(async (folder) => {
    const file = join(folder, "trace.json");
    await using program = startExample("tour", file);
    const { status, errors } = await program.end;
    assertEquals({ status, errors }, { status: 0, errors: "" }, program.output);
    assertMatch(program.output, /^connections served +204 \(204 at once\)/m);
    assertMatch(program.output, /^errors by code +Error 1(, connection_reset 1)?$/m);
    assertMatch(program.output, /^handlers forced +1$/m);
    assertMatch(program.output, /\ndemo ok\n$/);
    assertEquals(program.output.includes("\r"), false, "progress is for terminals only");

    const events = checkTrace(readFileSync(file, "utf8"));
    const opened = events.filter(({ ph }) => ph === "b").map(({ name }) => name.split(" ")[0]);
    const count = (type: string) => opened.filter((each) => each === type).length;
    assertEquals([count("listen"), count("accept"), count("connect")], [1, 204, 104]);
    assert(events.some(({ args }) => args?.name?.endsWith("runServer / handlers")));
    assert(!events.some(({ args }) => args !== undefined && "open" in args), "still open at the end");
  }));

test("tour ends cleanly when it is stopped", async () => {
  await using program = startExample("tour");
  await program.until(/^serving on .*$/m);
  program.signal("SIGTERM");
  assertEquals((await program.end).status, 1);
  assertMatch(program.output, /^open, by our count +0 sockets, 0 fibers, 0 others$/m);
  assertMatch(program.output, /^demo failed: stopped by SIGTERM$/m);
});
