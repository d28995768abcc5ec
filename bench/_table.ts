// Copyright 2026 the Sluice authors. MIT license.

/** Results as people read them in a terminal. */
import type { Goal, Row } from "./_bench.ts";

/** The titles of the columns. */
export const titles: readonly string[] = [
  "bench",
  "runtime",
  "ours",
  "value",
  "unit",
  "bare",
  "value",
  "ratio",
  "95 %",
  "goal",
];
/** Which columns hold numbers. */
export const numeric: ReadonlySet<number> = new Set([3, 6, 7]);

/** The rows as text in aligned columns. A name is not repeated in the next line. */
export function formatTable(rows: readonly Row[]): string {
  const lines = [titles, ...rows.map(cellsOf)];
  const widths = titles.map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  return lines.map((cells, i) => {
    const before = i > 1 ? lines[i - 1] : [];
    return cells.map((cell, column) => {
      const text = column === 0 && cell === before[0] ? "" : cell;
      return numeric.has(column) ? text.padStart(widths[column]) : text.padEnd(widths[column]);
    }).join("  ").trimEnd();
  }).join("\n");
}

/** What a row says in each column. */
export function cellsOf({ name, runtime, api, value, unit, bare, ratio, goal, even }: Row): string[] {
  const spread = ratio === undefined ? "" : `${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}`;
  const control = even === undefined ? "" : even ? "even" : "NOT EVEN";
  return [
    name,
    runtime,
    api,
    value === null ? "missing" : digits(value),
    unit,
    bare?.api ?? "",
    bare === undefined ? "" : digits(bare.value),
    ratio === undefined ? "" : ratio.median.toFixed(2),
    spread,
    goal === undefined ? control : verdict(goal, unit),
  ];
}

function verdict({ of, atMost, met }: Goal, unit: string): string {
  const limit = of === "ratio" ? atMost.toFixed(2) : `${atMost} ${unit}`;
  return `${met ? "met" : "MISSED"}: at most ${limit}${of === "difference" ? " more" : ""}`;
}

/** Three significant digits, and none after the point that nobody needs. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
