// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../../base/internal.ts";
import type { SimEvent } from "./stack/mod.ts";

/**
 * Formats the trace of a simulation.
 *
 * - `"text"` is for people: a line for each event, with its time in milliseconds, host, kind,
 *   addresses and bytes.
 * - `"json"` is a JSON array with a line for each event.
 * - `"chrome"` is a trace in the Trace Event Format, in JSON, for Perfetto and `chrome://tracing`,
 *   with a track for each host.
 *
 * @param events The events, from {@linkcode Sim.trace}.
 * @param format The format. By default `"text"`.
 * @returns The text, without a final newline.
 * @throws {TypeError} If the format is unknown.
 *
 * @example The trace of a lookup
 * ```ts
 * import { formatTrace, simulate } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await simulate({}, async (sim) => {
 *   await sim.host("a").net.getAddrInfo("a");
 *   assertEquals(formatTrace(sim.trace()), "0.000 a lookup a");
 * });
 * ```
 */
export function formatTrace(events: readonly SimEvent[], format: "text" | "json" | "chrome" = "text"): string {
  if (format === "text") return textOf(events);
  if (format === "json") return `[${events.map((event) => JSON.stringify(event)).join(",\n")}]`;
  if (format === "chrome") return JSON.stringify({ displayTimeUnit: "ms", traceEvents: chromeEvents(events) });
  throw new TypeError(
    `Cannot format a trace as format must be "text", "json" or "chrome": current value is ${describe(format)}`,
  );
}

/** Formats a line for each event, with aligned columns. */
function textOf(events: readonly SimEvent[]): string {
  const times = events.map(({ time }) => time.toFixed(3));
  const timeWidth = Math.max(0, ...last(times, ({ length }) => length));
  const hostWidth = Math.max(0, ...last(events, ({ host }) => host.length));
  const lines = events.map(({ host, what, from, to, bytes }, index) => {
    const parts = [times[index].padStart(timeWidth), host.padEnd(hostWidth), what];
    if (from !== undefined) parts.push(from);
    if (to !== undefined) parts.push(`-> ${to}`);
    if (bytes !== undefined && bytes > 0) parts.push(`${bytes} B`);
    return parts.join(" ");
  });
  return lines.join("\n");
}

/**
 * Returns the widths of the last items only, because a call takes a limited number of arguments.
 */
function last<T>(items: readonly T[], widthOf: (item: T) => number): number[] {
  return items.slice(-10_000).map(widthOf);
}

function chromeEvents(events: readonly SimEvent[]): unknown[] {
  const tracks = new Map<string, number>();
  const trackOf = (host: string) => {
    const known = tracks.get(host);
    if (known !== undefined) return known;
    tracks.set(host, tracks.size + 1);
    return tracks.size;
  };
  const instants = events.map(({ time, host, what, ...args }) => ({
    name: what,
    ph: "i",
    s: "t",
    ts: time * 1000,
    pid: 1,
    tid: trackOf(host),
    args,
  }));
  const names = [...tracks].map(([name, tid]) => ({ name: "thread_name", ph: "M", pid: 1, tid, args: { name } }));
  return [{ name: "process_name", ph: "M", pid: 1, args: { name: "simulation" } }, ...names, ...instants];
}
