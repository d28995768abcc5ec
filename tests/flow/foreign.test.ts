// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Readable, Writable } from "node:stream";
import {
  bufferSink,
  BufReader,
  cancellableSource,
  chunks,
  copy,
  type CopyFailure,
  copyString,
  nullFlow,
  parse,
  proxy,
  readable,
  readAll,
  readExact,
  type Sink,
  type Source,
  type TwoWay,
  withBufWriter,
  writeAll,
} from "../../flow/mod.ts";
import { bytesOf, inCancelledScope } from "../_helpers.ts";
import { test } from "../_test.ts";

const sources: [name: string, value: unknown, hint: string][] = [
  ["undefined", undefined, ""],
  ["null", null, ""],
  ["1", 1, ""],
  ["a symbol", Symbol("a"), ""],
  ["a string", "text", ": wrap it in stringSource"],
  ["an object", {}, ""],
  ["an object", Object.create(null), ""],
  ["a Uint8Array", bytesOf("text"), ": wrap it in bytesSource"],
  ["an array", [bytesOf("text")], ": wrap it in fromIterable"],
  ["an object", (async function* () {})(), ": wrap it in fromIterable"],
  ["a ReadableStream", new ReadableStream(), ": wrap a web stream in fromReadableStream"],
  ["a Blob", new Blob(["text"]), ": wrap its stream() in fromReadableStream"],
  ["a Readable", Readable.from([bytesOf("text")]), ": wrap a Node stream in fromReadable"],
];

const sinks: typeof sources = [
  ["undefined", undefined, ""],
  ["a string", "text", ""],
  ["an object", {}, ""],
  ["a WritableStream", new WritableStream(), ": wrap a web stream in fromWritableStream"],
  ["a Writable", new Writable(), ": wrap a Node stream in fromWritable"],
];

const readers: [name: string, action: string, call: (source: Source) => unknown][] = [
  ["copy()", "copy from", (source) => copy(source, bufferSink())],
  ["proxy()", "proxy", (source) => proxy(source as TwoWay, nullFlow as unknown as TwoWay)],
  ["readAll()", "read from", (source) => readAll(source)],
  ["readExact()", "read from", (source) => readExact(source, new Uint8Array(1))],
  ["readable()", "wait for", (source) => readable(source)],
  ["chunks()", "read from", (source) => Array.fromAsync(chunks(source))],
  ["cancellableSource()", "read from", (source) => cancellableSource(source)],
  ["new BufReader()", "read from", (source) => new BufReader(source, { maxSize: 1 })],
];

const writers: [name: string, action: string, call: (sink: Sink) => unknown][] = [
  ["copy()", "copy to", (sink) => copy(nullFlow, sink)],
  ["writeAll()", "write to", (sink) => writeAll(sink, bytesOf("text"))],
  ["copyString()", "copy to", (sink) => copyString("text", sink)],
  ["withBufWriter()", "write to", (sink) => withBufWriter(sink, () => {})],
];

for (const [name, action, call] of readers) {
  test(`${name} refuses what is not a source, and says what makes one of it`, async () => {
    for (const [shown, value, hint] of sources) {
      const error = await assertRejects(async () => await call(value as Source), TypeError);
      assertEquals(error.message, `Cannot ${action} ${shown}: must be a source${hint}`);
    }
  });
}

for (const [name, action, call] of writers) {
  test(`${name} refuses what is not a sink, and says what makes one of it`, async () => {
    for (const [shown, value, hint] of sinks) {
      const error = await assertRejects(async () => await call(value as Sink), TypeError);
      assertEquals(error.message, `Cannot ${action} ${shown}: must be a sink${hint}`);
    }
  });
}

test("parse() refuses what is neither a source nor in memory", async () => {
  const stream = new Blob(["text"]).stream();
  const parsing = () => parse(stream as unknown as Source, (r) => r.line());
  await assertRejects(parsing, TypeError, "Cannot read from a ReadableStream: must be a source: wrap a web");
});

test("proxy() refuses a flow that cannot pass on an end, before it copies anything", async () => {
  const flow = { read: () => Promise.resolve(null), write: () => Promise.resolve(1) };
  const proxying = (a: unknown, b: unknown) => () => proxy(a as TwoWay, b as TwoWay);
  const whole = { ...flow, shutdown: () => Promise.resolve() };
  for (const attempt of [proxying(flow, whole), proxying(whole, flow)]) {
    await assertRejects(attempt, TypeError, "Cannot proxy an object: it must have shutdown()");
  }
  await proxying(whole, whole)();
});

test("copy() that refuses an argument says that nothing was copied", async () => {
  const error = await assertRejects(() => copy(nullFlow, undefined as unknown as Sink), TypeError);
  assertEquals((error as TypeError & CopyFailure).copied, 0);
});

test("copy() refuses what is not a source in a cancelled scope too", async () => {
  await inCancelledScope(() => assertRejects(() => copy(undefined as unknown as Source, nullFlow), TypeError));
});

test("new BufReader() of nothing is a TypeError that names what is missing", () => {
  const Reader = BufReader as unknown as new () => BufReader;
  assertThrows(() => new Reader(), TypeError, "Cannot read from undefined");
});
