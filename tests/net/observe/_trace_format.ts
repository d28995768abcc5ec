// Copyright 2026 the Sluice authors. MIT license.

/** The rules of Google's Trace Event Format, as far as what is written here goes. */
import { assert, assertEquals } from "@std/assert";

/** An event of a trace. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly cat?: string;
  readonly id?: string;
  readonly s?: string;
  readonly args?: { readonly name?: string };
}

/** Parses a trace, checks it against the rules, and returns its events. */
export function checkTrace(text: string): readonly TraceEvent[] {
  const trace: { traceEvents: TraceEvent[]; displayTimeUnit?: string } = JSON.parse(text);
  assert(["ms", "ns", undefined].includes(trace.displayTimeUnit));
  const open = new Map<string, TraceEvent>();
  const named = new Set<number>();
  for (const event of trace.traceEvents) {
    assertEquals(typeof event.name, "string");
    assert(Number.isInteger(event.pid) && Number.isInteger(event.tid));
    if (event.ph === "M") {
      assert(["process_name", "thread_name"].includes(event.name));
      assertEquals(typeof event.args?.name, "string");
      if (event.name === "thread_name") named.add(event.tid);
      continue;
    }
    assert(Number.isFinite(event.ts), `ts of ${event.name}`);
    assert(event.tid === 0 || named.has(event.tid), "a track without a name");
    if (event.ph === "i") {
      assert(["t", "p", "g"].includes(event.s ?? ""));
      continue;
    }
    // Asynchronous events belong together by category and id, and have one name.
    const key = `${event.cat} ${event.id}`;
    assert(event.cat !== undefined && /^0x[0-9a-f]+$/.test(event.id ?? ""), key);
    const begin = open.get(key);
    switch (event.ph) {
      case "b":
        assertEquals(begin, undefined);
        open.set(key, event);
        break;
      case "n":
        assert(begin !== undefined && begin.ts! <= event.ts!);
        break;
      case "e":
        assert(begin !== undefined && begin.ts! <= event.ts! && begin.name === event.name && begin.tid === event.tid);
        open.delete(key);
        break;
      default:
        throw new Error(`Cannot be a phase: ${event.ph}`);
    }
  }
  assertEquals([...open.keys()], [], "spans that do not end");
  return trace.traceEvents;
}
