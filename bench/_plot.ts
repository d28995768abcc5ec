// Copyright 2026 the Sluice authors. MIT license.

/** The ratios as a picture. */
import type { Row } from "./_bench.ts";

/** Sizes in pixels. */
const line = 20;
const labels = 560;
const width = 980;
const top = 34;
const right = 60;

/** The widest ratio that is drawn; what is beyond it ends in an arrow. */
const most = 4;

/** A plot of all rows that have a goal for their ratio, a line for each: the interval, the median, and the goal. The scale is logarithmic. */
export function plotRatios(rows: readonly Row[]): string {
  const drawn = rows.filter(({ ratio, goal }) => ratio !== undefined && goal?.of === "ratio");
  const height = top + drawn.length * line + 12;
  const ticks = [0.1, 0.2, 0.5, 1, 1.5, 2, 3, 4];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>What the library costs beside the bare runtime</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(8, 16, "cost ÷ cost of the bare program: median and 95 % interval; the grey mark is the goal", "start"),
    ...ticks.flatMap((tick) => [
      `<line x1="${x(tick)}" y1="${top - 8}" x2="${x(tick)}" y2="${height - 8}" stroke="${
        tick === 1 ? "#555555" : "#e4e4e4"
      }"/>`,
      text(x(tick), top - 11, String(tick), "middle"),
    ]),
    ...drawn.map((row, i) => lineOf(row, top + i * line + line / 2)),
    "</svg>",
    "",
  ].join("\n");
}

function lineOf({ name, runtime, api, bare, ratio, goal }: Row, y: number): string {
  if (ratio === undefined || goal === undefined) return "";
  const color = goal.met ? "#1a7f37" : "#cf222e";
  const beyond = ratio.high > most ? text(width - right + 8, y + 4, "→", "start") : "";
  const label = `${runtime}: ${name}, ${api} ÷ ${bare?.api ?? ""}`;
  return [
    text(labels - 12, y + 4, label.length > 80 ? `${label.slice(0, 79)}…` : label, "end"),
    `<line x1="${x(goal.atMost)}" y1="${y - 7}" x2="${x(goal.atMost)}" y2="${
      y + 7
    }" stroke="#999999" stroke-width="3"/>`,
    `<line x1="${x(ratio.low)}" y1="${y}" x2="${x(ratio.high)}" y2="${y}" stroke="${color}" stroke-width="2"/>`,
    `<circle cx="${x(ratio.median)}" cy="${y}" r="4" fill="${color}"/>`,
    text(width - 8, y + 4, ratio.median.toFixed(2), "end"),
    beyond,
  ].filter((part) => part !== "").join("\n");
}

/** Where a ratio is, from 0.1 to {@linkcode most}. */
function x(ratio: number): string {
  const least = 0.1;
  const clamped = Math.min(most, Math.max(least, ratio));
  const share = Math.log(clamped / least) / Math.log(most / least);
  return (labels + share * (width - labels - right)).toFixed(1);
}

function text(x: number | string, y: number, content: string, anchor: string): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="#222222">${escaped}</text>`;
}
