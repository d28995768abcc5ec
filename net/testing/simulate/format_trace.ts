// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../../base/internal.ts";
import type { SimEvent } from "./stack/mod.ts";

/**
 * Formats the trace of a simulation.
 *
 * - `"text"` is for people: a line for each event, with its time in milliseconds, host, kind,
 *   addresses and bytes. The address of a host that sent or received a packet is shown as its name.
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
  const kindWidth = Math.max(0, ...last(events, ({ what, from }) => from === undefined ? 0 : what.length));
  const hosts = hostsOf(events);
  const lines = events.map(({ host, what, from, to, bytes }, index) => {
    const parts = [times[index].padStart(timeWidth), host.padEnd(hostWidth)];
    parts.push(from === undefined ? what : what.padEnd(kindWidth));
    if (from !== undefined) parts.push(nameOf(from, hosts));
    if (to !== undefined) parts.push(`-> ${nameOf(to, hosts)}`);
    if (bytes !== undefined && bytes > 0) parts.push(`${bytes} B`);
    return parts.join(" ");
  });
  return lines.join("\n");
}

/** The IP address and the port of an address as text. */
const socketAddress = /^(?:tcp|udp):(.+):(\d+)$/;

/** Returns the hosts by their IP addresses; `undefined` for one that several hosts have, as on loopback. */
function hostsOf(events: readonly SimEvent[]): Map<string, string | undefined> {
  const hosts = new Map<string, string | undefined>();
  for (const { host, what, from, to } of events) {
    const own = what.startsWith("send ") ? from : what.startsWith("receive ") ? to : undefined;
    const ip = socketAddress.exec(own ?? "")?.[1];
    if (ip !== undefined) hosts.set(ip, hosts.has(ip) && hosts.get(ip) !== host ? undefined : host);
  }
  return hosts;
}

function nameOf(address: string, hosts: ReadonlyMap<string, string | undefined>): string {
  const [, ip, port] = socketAddress.exec(address) ?? [];
  const host = hosts.get(ip);
  return host === undefined ? address : `${host}:${port}`;
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
