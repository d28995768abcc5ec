// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Row } from "../../bench/_bench.ts";
import { markdownTable } from "../../bench/_markdown.ts";
import { readOptions } from "../../bench/_options.ts";
import { plotRatios } from "../../bench/_plot.ts";
import { readParts, replaceSection, type Report, writeReport } from "../../bench/_report.ts";
import { formatTable } from "../../bench/_table.ts";
import { test } from "../_test.ts";

const met: Row = {
  name: "a | b",
  runtime: "bun",
  api: "ours <1>",
  value: 10.04,
  unit: "µs",
  bare: { api: "bare", value: 10 },
  ratio: { median: 1.004, low: 0.9, high: 1.1 },
  goal: { of: "ratio", atMost: 1.05, met: true },
  rounds: 15,
};
const missed: Row = { ...met, ratio: { median: 9, low: 2, high: 12 }, goal: { of: "ratio", atMost: 0.2, met: false } };
const missing: Row = { name: "a | b", runtime: "native", api: "Go", value: null, unit: "µs", rounds: 0 };

const report: Report = {
  machine: {
    date: "2026-11-22T00:00:00Z",
    cpu: "CPU",
    cores: 2,
    system: "Linux",
    pinned: true,
    loadInC: true,
    versions: { bun: "1" },
  },
  rounds: 15,
  ms: 2000,
  warmup: 3000,
  many: 10_000,
  parts: [{ bench: "good", runtime: "bun", rows: [met] }, { bench: "bad", runtime: "bun", rows: [], failure: "why" }],
};

test("formatTable() says whether a goal is met, and what is missing", () => {
  const [, first, second, third] = formatTable([met, missed, missing]).split("\n");
  assertEquals(first.replace(/ {2,}/g, ";"), "a | b;bun;ours <1>;10.0;µs;bare;10.0;1.00;0.90–1.10;met: at most 1.05");
  assertEquals(second.endsWith("MISSED: at most 0.20"), true);
  assertEquals(third.trim().replace(/ {2,}/g, ";"), "native;Go;missing;µs");
});

test("formatTable() tells a difference, and a bare program that is not even", () => {
  const more: Row = { ...met, unit: "B", goal: { of: "difference", atMost: 2048, met: true } };
  const uneven: Row = { ...met, goal: undefined, even: false };
  const [, first, second] = formatTable([more, uneven]).split("\n");
  assertEquals(first.endsWith("met: at most 2048 B more"), true);
  assertEquals(second.endsWith("NOT EVEN"), true);
});

test("markdownTable() has cells of equal width, units with the values, and escapes bars", () => {
  const lines = markdownTable([met, missing]).split("\n");
  assertEquals(new Set(lines.map((line) => line.replaceAll("\\|", "__").length)).size, 1);
  assertEquals(
    lines[2].replace(/ +/g, " "),
    "| a \\| b | bun | ours <1> | 10.0 µs | bare | 10.0 µs | 1.00 | 0.90–1.10 | met: at most 1.05 |",
  );
  assertStringIncludes(lines[3], " missing |");
});

test("plotRatios() draws a line for each goal of a ratio, and escapes names", () => {
  const svg = plotRatios([met, missed, missing]);
  assertEquals(svg.match(/<circle /g)?.length, 2);
  assertStringIncludes(svg, "ours &lt;1&gt;");
  assertEquals(svg.includes("NaN"), false);
});

test("plotRatios() ends what is beyond its scale in an arrow", () => {
  assertEquals(plotRatios([met]).includes("→"), false);
  assertEquals(plotRatios([missed]).includes("→"), true);
});

test("replaceSection() changes only what is between the marks", () => {
  const [begin, end] = ["<!-- speed: written by deno task bench --full -->", "<!-- /speed -->"];
  const text = replaceSection(`before\n${begin}\nold\n${end}\nafter\n`, "new\n");
  assertEquals(text, `before\n${begin}\n\nnew\n\n${end}\nafter\n`);
  assertThrows(() => replaceSection("no marks", "new"), Error, "Cannot put results into the README");
});

test("readParts() gives what writeReport() kept, but for what failed", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    writeReport(folder, report);
    assertEquals(readParts(folder, report).map(({ bench }) => bench), ["good"]);
    assertEquals(readParts(folder, { ...report, ms: 1 }), []);
    assertEquals(readParts(folder, { ...report, machine: { ...report.machine, loadInC: false } }), []);
    const text = readFileSync(join(folder, "results.md"), "utf8");
    assertStringIncludes(text, "server on core 0, load in C on core 1.");
    assertStringIncludes(text, "FAILED bad on bun: why");
    assertStringIncludes(readFileSync(join(folder, "ratios.svg"), "utf8"), "</svg>");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("readParts() gives nothing where nothing was kept", () => {
  assertEquals(readParts("/nonexistent", report), []);
});

test("readOptions() takes what the goals ask for, in a full run", () => {
  const { rounds, ms, warmup, many, twice } = readOptions(["--full", "--rounds", "21"]);
  assertEquals({ rounds, ms, warmup, many, twice }, { rounds: 21, ms: 2000, warmup: 3000, many: 10_000, twice: true });
});

test("readOptions() refuses what is no whole number", () => {
  assertThrows(
    () => readOptions(["--ms", "1.5"]),
    RangeError,
    "--ms must be a whole number >= 1: current value is 1.5",
  );
});
