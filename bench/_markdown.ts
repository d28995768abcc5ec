// Copyright 2026 the Sluice authors. MIT license.

/** Results as a table in Markdown, formatted as `deno fmt` does. */
import type { Row } from "./_bench.ts";
import { cellsOf, numeric, titles } from "./_table.ts";

/** Where a cell goes, by what it takes from `cellsOf`: a value stands with its unit. */
const columns = titles.map((title, column) => ({ title, column })).filter(({ title }) => title !== "unit");

/** The rows as a table. */
export function markdownTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => columns.map(({ title, column }) => cellOf(row, title, column)));
  const widths = columns.map(({ title }, i) => Math.max(3, title.length, ...lines.map((cells) => cells[i].length)));
  const join = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const pad = (text: string, i: number) => isNumber(i) ? text.padStart(widths[i]) : text.padEnd(widths[i]);
  const rule = widths.map((width, i) => isNumber(i) ? `${"-".repeat(width - 1)}:` : "-".repeat(width));
  return [columns.map(({ title }, i) => pad(title, i)), rule, ...lines.map((cells) => cells.map(pad))].map(join)
    .join("\n");
}

function cellOf(row: Row, title: string, column: number): string {
  const text = cellsOf(row)[column];
  if (title === "value" && text !== "" && text !== "missing") return `${text} ${row.unit}`;
  return text.replaceAll("|", "\\|");
}

function isNumber(i: number): boolean {
  return numeric.has(columns[i].column);
}
