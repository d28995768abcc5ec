// Copyright 2026 the Sluice authors. MIT license.

import { checkSink, encode, operation, type Sink, writeAll } from "../../flow/internal.ts";
import { currentScope, type Scope, type Switch } from "../../switch/internal.ts";
import { switchScope } from "./_reporter.ts";
import type { NetEvent } from "./net_event.ts";

/** An event of the Trace Event Format. */
interface TraceEvent {
  readonly name: string;
  readonly ph: "b" | "n" | "e" | "i" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly cat?: string;
  readonly id?: string;
  readonly s?: "t";
  readonly args: object;
}

/** A span that has begun. */
interface Span {
  readonly name: string;
  readonly cat: string;
  readonly tid: number;
}

/** The categories of what opens. */
const categories: Readonly<Partial<Record<NetEvent["type"], string>>> = {
  connect: "connection",
  accept: "connection",
  listen: "listener",
  datagram: "datagram socket",
};

/** The number of the only process, and of the track of what belongs to no switch. */
const pid = 1;
const noScope = 0;

/**
 * Returns an observer that writes a trace for Perfetto (https://ui.perfetto.dev) or
 * `chrome://tracing`: connections, listeners, datagram sockets and lookups are spans, and the
 * switches that own them are tracks, with their names.
 *
 * The trace is kept in memory, with about 300 bytes for each event, and written by `close`, also
 * what is still open then. The sink is not closed. Later events are ignored, and a second `close`
 * does nothing more.
 *
 * Source: Google's Trace Event Format, as a JSON object.
 *
 * @param sink Where to write the trace.
 * @returns The observer, and the function that writes the trace.
 * @throws {TypeError} If `sink` is not a sink.
 *
 * @example A trace of one listener
 * ```ts
 * import { bufferSink, Switch, tcp } from "@sluice/io";
 * import { observe, toTrace } from "@sluice/io/net/observe";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * const trace = toTrace(sink);
 * const net = observe(memoryNet(), trace.observer);
 * await Switch.run((sw) => net.listen(sw, tcp("127.0.0.1", 80)), { name: "server" });
 * await trace.close();
 * const { traceEvents } = JSON.parse(sink.text());
 * assertEquals(traceEvents.map(({ ph }: { ph: string }) => ph), ["M", "M", "b", "e"]);
 * ```
 */
export function toTrace(sink: Sink): { observer: (event: NetEvent) => void; close(): Promise<void> } {
  checkSink("write a trace to", sink);
  const trace = new Trace();
  let closing: Promise<void> | undefined;
  return Object.freeze({
    observer: (event: NetEvent) => {
      if (closing === undefined) trace.add(event);
    },
    close: () => closing ??= operation(() => writeAll(sink, encode(trace.end()))),
  });
}

/** The lines of a trace. */
class Trace {
  readonly #lines: string[] = [];
  readonly #spans: Map<number, Span> = new Map();
  readonly #tracks: WeakMap<Scope, number> = new WeakMap();
  #trackCount = noScope;
  #latest = 0;

  constructor() {
    this.#name("process_name", noScope, "network");
  }

  add(event: NetEvent): void {
    const { type, id, at, ...args } = event;
    const ts = at * 1000; // microseconds
    this.#latest = Math.max(this.#latest, ts);
    if (type === "lookup") return this.#lookup(event, ts);
    const span = this.#spans.get(id);
    const cat = categories[type];
    if (cat !== undefined) return this.#begin(id, ts, { name: titleOf(event), cat, tid: this.#track() }, args);
    if (span === undefined) {
      return this.#push({
        name: `${args.operation} ${type}`,
        ph: "i",
        s: "t",
        ts,
        pid,
        tid: this.#track(),
        args,
      });
    }
    if (type === "close") return this.#end(id, ts, span, args);
    this.#push({ ...this.#of(id, span), name: type, ph: "n", ts, args });
    if (type === "error" && args.operation === "connect") this.#end(id, ts, span, {});
  }

  /** Ends what is open, and returns the text. */
  end(): string {
    for (const [id, span] of this.#spans) this.#end(id, this.#latest, span, { open: true });
    return `{"displayTimeUnit":"ms","traceEvents":[\n${this.#lines.join(",\n")}\n]}\n`;
  }

  #lookup({ id, duration = 0, type: _, at: __, ...args }: NetEvent, ts: number): void {
    const span = { name: `lookup ${args["dns.question.name"]}`, cat: "lookup", tid: this.#track() };
    this.#begin(id, ts - duration * 1000, span, args);
    this.#end(id, ts, span, {});
  }

  #begin(id: number, ts: number, span: Span, args: object): void {
    this.#spans.set(id, span);
    this.#push({ ...this.#of(id, span), ph: "b", ts, args });
  }

  #end(id: number, ts: number, span: Span, args: object): void {
    this.#spans.delete(id);
    this.#push({ ...this.#of(id, span), ph: "e", ts, args });
  }

  #of(id: number, { name, cat, tid }: Span): Pick<TraceEvent, "name" | "cat" | "id" | "pid" | "tid"> {
    return { name, cat, id: `0x${id.toString(16)}`, pid, tid };
  }

  /** Returns the track of the innermost switch around the running code. */
  #track(): number {
    const scope = switchScope(currentScope());
    if (scope === undefined) return noScope;
    let track = this.#tracks.get(scope);
    if (track === undefined) {
      track = ++this.#trackCount;
      this.#tracks.set(scope, track);
      this.#name("thread_name", track, pathOf(scope));
    }
    return track;
  }

  #name(name: "process_name" | "thread_name", tid: number, text: string): void {
    this.#push({ name, ph: "M", pid, tid, args: { name: text } });
  }

  #push(event: TraceEvent): void {
    this.#lines.push(JSON.stringify(event));
  }
}

/** Returns the name of what an event opens. */
function titleOf(event: NetEvent): string {
  const side = event.type === "connect" ? "server" : event.type === "accept" ? "network.peer" : "network.local";
  const { [`${side}.address` as const]: address = "", [`${side}.port` as const]: port } = event;
  const host = address.includes(":") && port !== undefined ? `[${address}]` : address;
  return `${event.type} ${host}${port === undefined ? "" : `:${port}`}`;
}

/** Returns the names of the switches around a scope, the outermost first. */
function pathOf(scope: Scope): string {
  const names: string[] = [];
  for (let at = switchScope(scope); at !== undefined; at = switchScope(at.parent)) {
    names.unshift((at.owner as Switch).name ?? "switch");
  }
  return names.join(" / ");
}
