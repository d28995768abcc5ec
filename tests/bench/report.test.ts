// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "../../bench/_compare.ts";
import { formatTable, plotRatios, readReport, type Report, writeReport } from "../../bench/_report.ts";
import { readOptions } from "../../bench/_settings.ts";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";

const row: Row = {
  name: "a < b",
  runtime: "bun",
  ours: "ours",
  unit: "µs",
  rounds: 15,
  median: 10.04,
  beside: "bare",
  besideMedian: 10,
  ratio: 1.004,
  low: 0.9,
  high: 1.1,
};
const alone: Row = { name: "alone", runtime: "node", ours: "ours", unit: "B", rounds: 1, median: 0 };
const report: Report = { date: "2026-11-22", machine: "CPU", versions: {}, rounds: 15, ms: 1000, rows: [row, alone] };

test("writeReport() writes what readReport() reads", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    const path = join(folder, "results.json");
    writeReport(path, report);
    assertEquals(readReport(path), report);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("formatTable() aligns values with their units", () => {
  const lines = formatTable([row, alone]).split("\n").map((line) => line.replace(/ {2,}/g, ";"));
  assertEquals(lines[1], "a < b;bun;ours;10.0 µs;bare;10.0 µs;1.00;0.90–1.10");
  assertEquals(lines[2], "alone;node;ours;0.00 B");
});

test("plotRatios() marks the ratio to the cheapest of the others, on each runtime", () => {
  const cheaper: Row = { ...row, beside: "cheaper", ratio: 2 };
  const svg = plotRatios([row, cheaper, { ...row, ours: "another", ratio: 3 }, { ...row, runtime: "deno" }, alone]);
  assertEquals(svg.match(/<circle [^>]+>/g)?.length, 2);
  assertEquals(svg.match(/<circle [^>]+>/g)?.[1], plotRatios([cheaper]).match(/<circle [^>]+>/)?.[0]);
  assertStringIncludes(svg, "a &lt; b");
  assertEquals(/NaN|undefined/.test(svg), false);
});

test("docs/performance-results.json holds rows with an interval around each ratio", () => {
  const { rows } = readReport(join(root, "docs/performance-results.json"));
  const odd = rows.filter(({ ratio = 1, low = 1, high = 1 }) => !(low <= ratio && ratio <= high));
  assertEquals([odd, rows.length > 0], [[], true]);
});

test("readOptions() takes more time for a full run", () => {
  const { rounds, ms, many, filters } = readOptions(["--full", "--rounds", "21", "bulk"]);
  assertEquals({ rounds, ms, many, filters }, { rounds: 21, ms: 1000, many: 10_000, filters: ["bulk"] });
});

test("readOptions() refuses what is not a whole number", () => {
  assertThrows(() => readOptions(["--ms", "1.5"]), RangeError, "--ms must be a whole number >= 1, and is 1.5");
});
