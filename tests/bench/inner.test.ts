// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { measureInner } from "../../bench/_inner.ts";
import { innerBenches } from "../../bench/benches.ts";
import { rowsOf } from "../../bench/_compare.ts";
import { readOptions } from "../../bench/_settings.ts";
import { thisRuntime } from "../_runtimes.ts";
import { test } from "../_test.ts";

const settings = readOptions(["--rounds", "1", "--ms", "4"]);

for (const bench of innerBenches) {
  test(`the bench "${bench.name}" measures each of ours beside another way`, async () => {
    const all = await measureInner(bench, thisRuntime(), settings);
    const rows = all.flatMap((measured) => rowsOf(thisRuntime().name, measured));
    const odd = rows.filter(({ beside, median }) => beside === undefined || !Number.isFinite(median));
    assertEquals([odd, rows.length > 0], [[], true]);
  });
}
