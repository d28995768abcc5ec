// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import vm from "node:vm";
import {
  bufferSink,
  BufReader,
  BufWriter,
  bytesSource,
  copy,
  EndOfFlow,
  fromIterable,
  fromReadableStream,
  fromWritableStream,
  give,
  type GivingSink,
  lend,
  type LendingSource,
  nullFlow,
  parse,
  pipe,
  pump,
  type PumpingSource,
  readAll,
  readExact,
  type Sink,
  toReadableStream,
  toWritableStream,
  tryGive,
  withBufWriter,
  writeAll,
} from "../../flow/mod.ts";
import { Stream } from "../../flow/stream.ts";
import { noSource, type StreamEnd } from "../../flow/stream_end.ts";
import { both } from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { bytesOf, textOf } from "./_helpers.ts";

/** Bytes of another realm, whose `Uint8Array` is another one. */
function foreignBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = vm.runInNewContext(`Uint8Array.of(${bytesOf(text).join()})`);
  assert(!(bytes instanceof Uint8Array), "Expected another realm");
  return bytes;
}

/** Every way in, which answers with what has come in as text. */
const waysIn: Record<string, (bytes: Uint8Array<ArrayBuffer>) => Promise<string>> = {
  "write() of a pipe": (bytes) => throughPipe((a) => a.write(bytes)),
  "[give]() of a pipe": (bytes) => throughPipe((a) => a[give]([bytes])),
  "write() of a bufferSink": (bytes) => throughSink((sink) => sink.write(bytes)),
  "[give]() of a bufferSink": (bytes) => throughSink((sink) => sink[give]([bytes])),
  "writeAll()": (bytes) => throughSink((sink) => writeAll(sink, bytes)),
  "writeAll() to a pipe": (bytes) => throughPipe((a) => writeAll(a, bytes)),
  "writeAll() between empty buffers": (bytes) =>
    throughSink((sink) => writeAll(sink, new Uint8Array(0), bytes, new Uint8Array(0))),
  "bytesSource()": (bytes) => textOf(bytesSource(bytes)),
  "fromIterable()": (bytes) => textOf(fromIterable([bytes])),
  "fromIterable() of a promise": (bytes) =>
    textOf(fromIterable((async function* () {
      yield await Promise.resolve(bytes);
    })())),
  "BufReader.of()": async (bytes) => await BufReader.of(bytes).line() ?? "",
  "parse()": async (bytes) => await parse(bytes, (r) => r.line()) ?? "",
  "parse() with maxSize": async (bytes) => await parse(bytes, (r) => r.line(), { maxSize: 10 }) ?? "",
  "BufWriter.bytes()": (bytes) => throughSink((sink) => withBufWriter(sink, (w) => w.bytes(bytes))),
  "BufWriter.schedule()": (bytes) => throughSink((sink) => withBufWriter(sink, (w) => w.schedule(bytes))),
  "what a source lends to copy()": (bytes) => throughSink((sink) => copy(lender(bytes), sink)),
  "what a source lends to BufReader": async (bytes) => await new BufReader(lender(bytes)).line() ?? "",
  "a chunk of fromReadableStream()": (bytes) =>
    textOf(fromReadableStream(new ReadableStream({ start: (c) => (c.enqueue(bytes), c.close()) }))),
  "a chunk of toWritableStream()": (bytes) => throughSink((sink) => toWritableStream(sink).getWriter().write(bytes)),
  "write() of fromWritableStream()": async (bytes) => {
    const sink = bufferSink();
    const stream = fromWritableStream(new WritableStream({ write: (chunk) => writeAll(sink, chunk) }));
    await writeAll(stream, bytes);
    await stream.close();
    return sink.text();
  },
};

/** Every buffer to read into, which is filled with "hi". */
const readers: Record<string, (buffer: Uint8Array) => Promise<unknown>> = {
  "read() of a pipe": async (buffer) => {
    const [a, b] = pipe();
    await a.write(bytesOf("hi"));
    assertEquals(await b.read(buffer), 2);
  },
  "read() of a pipe that waits": async (buffer) => {
    const [a, b] = pipe();
    await both(() => b.read(buffer), () => a.write(bytesOf("hi")));
  },
  "read() of bytesSource()": (buffer) => bytesSource(bytesOf("hi")).read(buffer),
  "read() of BufReader.asSource()": (buffer) => BufReader.of("hi").asSource().read(buffer),
  "readExact()": (buffer) => readExact(bytesSource(bytesOf("h"), bytesOf("i")), buffer),
};

for (const [name, put] of Object.entries(waysIn)) {
  test(`${name} takes bytes of another realm`, async () => {
    assertEquals(await put(foreignBytes("hi")), "hi");
  });

  test(`${name} takes bytes by their true length, whatever they say`, async () => {
    for (const liar of liars("hi")) assertEquals(await put(liar), "hi");
  });

  test(`${name} refuses what is not bytes, by a short TypeError`, async () => {
    for (const bad of impostors()) {
      const error = await assertRejects(async () => await put(bad as Uint8Array<ArrayBuffer>), TypeError);
      assert(error.message.length < 100, `${error.message.length} characters`);
    }
  });
}

for (const [name, read] of Object.entries(readers)) {
  test(`${name} fills a buffer of another realm`, async () => {
    const buffer = foreignBytes("..");
    await read(buffer);
    assertEquals([...buffer], [...bytesOf("hi")]);
  });

  test(`${name} fills a buffer by its true length, whatever it says`, async () => {
    for (const liar of liars("..")) {
      await read(liar);
      assertEquals(Array.from({ length: 2 }, (_, i) => liar[i]), [...bytesOf("hi")]);
    }
  });
}

test("pipe() rejects what is not bytes, and throws nothing at once", async () => {
  const [a, b] = pipe();
  for (const bad of impostors() as Uint8Array[]) {
    for (const call of [() => a.write(bad), () => b.read(bad), () => a[give]([bad]), () => a[give](bad as never)]) {
      const promise = call();
      const error = await assertRejects(() => promise, TypeError);
      assert(error.message.length < 100, `${error.message.length} characters`);
    }
  }
  await a.close();
  assertEquals(await b.read(new Uint8Array(1)), null);
});

test("[give]() rejects a list that refuses to say what is in it, and throws nothing at once", async () => {
  const { proxy: revoked, revoke } = Proxy.revocable([], {});
  revoke();
  const loud = Object.defineProperty([], 0, {
    get: () => {
      throw new Error("Cannot tell");
    },
  });
  for (const sink of [pipe()[0], bufferSink(), nullFlow]) {
    for (const bad of [revoked, loud, undefined, bytesOf("a")] as never[]) {
      const giving = sink[give](bad);
      await assertRejects(() => giving, TypeError, "must be an array of Uint8Arrays");
    }
  }
});

test("readExact() and writeAll() reject what is not bytes before anything happens", async () => {
  let touched = 0;
  const flow = { read: () => Promise.resolve(++touched), write: () => Promise.resolve(++touched) };
  for (const bad of impostors() as Uint8Array[]) {
    for (const call of [() => readExact(flow, bad), () => writeAll(flow, bytesOf("a"), bad)]) {
      const promise = call();
      await assertRejects(() => promise, TypeError, "must be a Uint8Array");
    }
  }
  assertEquals(touched, 0);
});

test("[pump]() of a source that lends what is not bytes fails copy()", async () => {
  const source = {
    ...lender(bytesOf("hi")),
    [pump]: (use) => Promise.resolve(use("hi" as never, true) === 0),
  } as PumpingSource;
  const sink = { ...bufferSink(), [tryGive]: () => 1 };
  await assertRejects(() => copy(source, sink), TypeError, "the source lent a string: must be a Uint8Array");
});

test("Stream.tryGive() takes bytes of another realm by their true length, and throws for others", async () => {
  const taken: number[] = [];
  const end: StreamEnd = {
    ...noSource,
    write: (bytes) => bytes.length,
    give: (buffers) => (taken.push(...buffers.map(({ length }) => length)), 1),
    end: () => {},
    flushed: true,
  };
  const stream = new Stream(end, { label: "test", failure: (_, cause) => cause });
  stream.tryGive([foreignBytes("abc"), ...liars("ab")]);
  assertEquals(taken, [3, 2, 2, 2]);
  assertThrows(() => stream.tryGive(["a"] as never), TypeError, "Cannot use a string as bytes");
  await Promise.resolve();
});

test("BufWriter refuses what is not bytes, by a short TypeError", () => {
  const writer = new BufWriter();
  for (const bad of impostors() as Uint8Array[]) {
    for (const call of [() => writer.bytes(bad), () => writer.schedule(bad)]) {
      assert(assertThrows(call, TypeError, "must be a Uint8Array").message.length < 100);
    }
  }
  assertEquals(writer.pendingBytes, 0);
});

test("describe() of any wrong value is short, and asks nothing of it", async () => {
  const loud = Object.defineProperty({}, Symbol.toStringTag, { value: "x".repeat(1e6) });
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const values = [loud, revoked, "x".repeat(1e6), 10n ** 10_000n, Symbol("x".repeat(1e6)), function f() {}, NaN];
  for (const value of values) {
    for (const call of [() => nullFlow.write(value as never), () => copy(value as never, nullFlow)]) {
      const error = await assertRejects(async () => await call(), TypeError);
      assert(error.message.length < 120, error.message.slice(0, 200));
    }
  }
});

test("a read whose buffer is detached while it waits is a TypeError, and the bytes stay", async () => {
  const [a, b] = pipe();
  const buffer = new Uint8Array(16);
  const reading = b.read(buffer);
  structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
  await a.write(bytesOf("abc"));
  await assertRejects(() => reading, TypeError, "Cannot read: the buffer was detached");
  await a.close();
  assertEquals(await textOf(b), "abc");
});

test("a read whose buffer is shrunk to nothing while it waits is a TypeError, and the bytes stay", async () => {
  const [a, b] = pipe();
  const memory = resizable(8);
  const reading = b.read(new Uint8Array(memory));
  memory.resize(0);
  await a.write(bytesOf("abc"));
  await assertRejects(() => reading, TypeError, "Cannot read: the buffer was detached or shrunk");
  await a.close();
  assertEquals(await textOf(b), "abc");
});

test("a read whose buffer is shrunk while it waits fills what is left", async () => {
  const [a, b] = pipe();
  const memory = resizable(8);
  const reading = b.read(new Uint8Array(memory));
  memory.resize(2);
  await a.write(bytesOf("abc"));
  assertEquals([await reading, ...new Uint8Array(memory)], [2, ...bytesOf("ab")]);
});

test("BufReader.asSource() whose buffer is detached while a read waits keeps the bytes", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(b);
  const buffer = new Uint8Array(16);
  const reading = reader.asSource().read(buffer);
  structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
  await a.write(bytesOf("abc\n"));
  await assertRejects(() => reading, TypeError, "Cannot read: the buffer was detached");
  assertEquals(await reader.line(), "abc");
});

test("readExact() whose buffer is detached midway is a TypeError, and not a success", async () => {
  const [a, b] = pipe();
  const buffer = new Uint8Array(16);
  const reading = readExact(b, buffer);
  await a.write(bytesOf("abc"));
  structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
  await a.write(bytesOf("def"));
  await assertRejects(() => reading, TypeError, "Cannot read: the buffer was detached");
});

test("readExact() of a foreign source whose buffer is detached is a TypeError", async () => {
  const buffer = new Uint8Array(4);
  const source = {
    read() {
      structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
      return Promise.resolve(4);
    },
  };
  await assertRejects(() => readExact(source, buffer), TypeError, "Cannot read: the buffer was detached");
});

for (
  const [name, put] of [
    ["write()", (sink: GivingSink, bytes: Uint8Array) => sink.write(bytes)],
    ["[give]()", (sink: GivingSink, bytes: Uint8Array) => sink[give]([bytesOf("x"), bytes])],
    ["writeAll()", (sink: GivingSink, bytes: Uint8Array) => writeAll(sink, bytes)],
    ["BufWriter.schedule()", (sink: GivingSink, bytes: Uint8Array) => withBufWriter(sink, (w) => w.schedule(bytes))],
  ] as const
) {
  test(`${name} whose bytes are detached while it waits is a TypeError, and the flow goes on`, async () => {
    const [a, b] = pipe({ capacity: 4 });
    await a.write(bytesOf("full"));
    const bytes = new Uint8Array(3);
    const writing = assertRejects(() => put(a, bytes), TypeError, "Cannot write: the buffer was detached");
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    assertEquals(await b.read(new Uint8Array(4)), 4);
    await writing;
    await both(() => writeAll(a, bytesOf("next")), () => readExact(b, new Uint8Array(4)));
    await a.close();
    await assertRejects(() => readExact(b, new Uint8Array(1)), EndOfFlow);
  });
}

test("writeAll() whose second buffer is detached while the first is written is a TypeError", async () => {
  const second = new Uint8Array(100_000);
  const sink: Sink = {
    write(bytes) {
      if (bytes.length < 100_000) structuredClone(second.buffer, { transfer: [second.buffer] });
      return Promise.resolve(bytes.length);
    },
  };
  await assertRejects(() => writeAll(sink, bytesOf("first"), second), TypeError, "the buffer was detached");
});

test("writeAll() to a sink that detaches what it has taken is a success", async () => {
  const sink: Sink = {
    write(bytes) {
      const { length } = bytes;
      structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] });
      return Promise.resolve(length);
    },
  };
  await writeAll(sink, bytesOf("one"));
});

test("toReadableStream() reads into a buffer of the reader's by its true length", async () => {
  const reader = toReadableStream(bytesSource(bytesOf("hello"))).getReader({ mode: "byob" });
  const { value } = await reader.read(new Uint8Array(3));
  assertEquals(value, bytesOf("hel"));
  await reader.cancel();
});

/** Bytes that lie about their length, by properties of their own and by those of a class. */
function liars(text: string): Uint8Array<ArrayBuffer>[] {
  class Liar extends Uint8Array<ArrayBuffer> {
    override get length(): number {
      return 1000;
    }
    override subarray(): never {
      throw new Error("Cannot be called");
    }
    override set(): never {
      throw new Error("Cannot be called");
    }
  }
  const lie = {
    length: 1000,
    byteLength: 1000,
    byteOffset: 0,
    constructor: Array,
    [Symbol.toStringTag]: "Uint16Array",
  };
  return [
    Object.defineProperties(bytesOf(text), Object.getOwnPropertyDescriptors(lie)),
    Object.defineProperty(bytesOf(text), "length", { value: 0 }),
    new Liar(bytesOf(text).buffer),
  ];
}

/** What is not bytes, though some of it looks like it. */
function impostors(): unknown[] {
  return [
    new Uint16Array(1_000_000),
    new Uint8ClampedArray(3),
    new DataView(new ArrayBuffer(3)),
    new ArrayBuffer(3),
    Object.create(null),
    Object.create(Uint8Array.prototype),
    Object.defineProperty({ length: 3 }, Symbol.toStringTag, { value: "Uint8Array" }),
    new Proxy(bytesOf("abc"), {}),
    Array.from({ length: 1_000_000 }, () => 7),
    7,
    Symbol("bytes"),
    null,
  ];
}

/** A source of one piece. */
function lender(bytes: Uint8Array<ArrayBuffer>): LendingSource {
  let ended = false;
  return {
    read: () => Promise.reject(new Error("Cannot read: it lends")),
    async [lend](use) {
      if (ended) return null;
      ended = true;
      return await use(bytes, false);
    },
  };
}

function resizable(size: number): ArrayBuffer & { resize(size: number): void } {
  const Resizable = ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => ArrayBuffer;
  return new Resizable(size, { maxByteLength: size }) as ArrayBuffer & { resize(size: number): void };
}

async function throughPipe(put: (sink: GivingSink) => Promise<unknown>): Promise<string> {
  const [a, b] = pipe();
  await put(a);
  await a.close();
  return new TextDecoder().decode(await readAll(b));
}

async function throughSink(put: (sink: GivingSink) => Promise<unknown>): Promise<string> {
  const sink = bufferSink();
  await put(sink);
  return sink.text();
}
