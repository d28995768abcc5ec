// Copyright 2026 the Sluice authors. MIT license.

/** The results: as one file, as a table for a terminal, and as a plot. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Row } from "./_compare.ts";

/** A run and its results. */
export interface Report {
  readonly date: string;
  /** The processor, its cores, the system, and whether server and load have a core each. */
  readonly machine: string;
  /** Versions, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly rounds: number;
  /** How long a turn was, in milliseconds. */
  readonly ms: number;
  readonly rows: readonly Row[];
}

/** Writes the report to `path`: one line for each row, numbers with four digits. */
export function writeReport(path: string, { rows, ...about }: Report): void {
  const head = JSON.stringify(about, null, 2).slice(0, -2);
  const lines = rows.map((row) => `    ${JSON.stringify(row, (_, value) => rounded(value))}`);
  writeFileSync(path, `${head},\n  "rows": [\n${lines.join(",\n")}\n  ]\n}\n`);
}

/** Reads what {@linkcode writeReport} wrote. */
export function readReport(path: string): Report {
  return JSON.parse(readFileSync(path, "utf8"));
}

function rounded(value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}

/** The rows as text in aligned columns. */
export function formatTable(rows: readonly Row[]): string {
  const titles = ["bench", "runtime", "ours", "median", "beside", "median", "ratio", "95 %"];
  const lines = [titles, ...rows.map(cellsOf)];
  const widths = titles.map((_, column) => Math.max(...lines.map((cells) => cells[column].length)));
  return lines.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()).join("\n");
}

function cellsOf({ name, runtime, ours, unit, median, beside, besideMedian, ratio, low, high }: Row): string[] {
  const cost = (value: number | undefined) => value === undefined ? "" : `${digits(value)} ${unit}`;
  const interval = low === undefined || high === undefined ? "" : `${low.toFixed(2)}–${high.toFixed(2)}`;
  return [name, runtime, ours, cost(median), beside ?? "", cost(besideMedian), ratio?.toFixed(2) ?? "", interval];
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Sizes of the plot in pixels, and its logarithmic scale. */
const plot = { line: 22, labels: 400, width: 900, top: 60, right: 30, least: 0.1, most: 10 } as const;
const ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10];
const colors: Readonly<Record<string, string>> = { deno: "#1f6feb", bun: "#bf5700", node: "#1a7f37" };

/**
 * A plot of the ratios: a line for each bench, with the median and the interval on each runtime. It
 * shows the first of ours beside the cheapest API of the runtime.
 */
export function plotRatios(rows: readonly Row[]): string {
  const names = [...new Set(rows.filter(({ ratio }) => ratio !== undefined).map(({ name }) => name))];
  const height = plot.top + names.length * plot.line + 8;
  const runtimes = Object.entries(colors);
  const scale = "cost ÷ cost of the cheapest bare API of the runtime";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${plot.width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<title>The cost of the library beside the bare API of each runtime</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(8, 16, `${scale}: median and 95 % interval, off the scale at its edge`, "start"),
    ...runtimes.map(([runtime, color], i) => text(plot.labels + i * 60, 32, runtime, "start", color)),
    ...ticks.flatMap((tick) => [
      `<path d="M${x(tick)} ${plot.top - 8}V${height - 8}" stroke="${tick === 1 ? "#555555" : "#e4e4e4"}"/>`,
      text(x(tick), plot.top - 12, String(tick), "middle"),
    ]),
    ...names.flatMap((name, line) => {
      const y = plot.top + line * plot.line + plot.line / 2;
      const marks = runtimes.map(([runtime], i) => mark(worst(rows, name, runtime), y + (i - 1) * 5));
      return [text(plot.labels - 12, y + 4, name, "end"), ...marks];
    }),
    "</svg>",
    "",
  ].join("\n");
}

/** The row that the first of ours looks worst in. */
function worst(rows: readonly Row[], name: string, runtime: string): Row | undefined {
  const own = rows.filter((row) => row.name === name && row.runtime === runtime && row.ratio !== undefined);
  return own.filter(({ ours }) => ours === own[0].ours).toSorted((a, b) => (b.ratio ?? 0) - (a.ratio ?? 0)).at(0);
}

function mark(row: Row | undefined, y: number): string {
  if (row?.ratio === undefined) return "";
  const color = colors[row.runtime];
  return `<path d="M${x(row.low)} ${y}H${x(row.high)}" stroke="${color}" stroke-width="2"/>` +
    `<circle cx="${x(row.ratio)}" cy="${y}" r="3" fill="${color}"/>`;
}

/** Where a ratio is. What is off the scale is at its end. */
function x(ratio = 1): string {
  const clamped = Math.min(plot.most, Math.max(plot.least, ratio));
  const share = Math.log(clamped / plot.least) / Math.log(plot.most / plot.least);
  return (plot.labels + share * (plot.width - plot.labels - plot.right)).toFixed(1);
}

function text(x: number | string, y: number, content: string, anchor: string, color = "#222222"): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${color}">${escaped}</text>`;
}
