// Copyright 2026 the Sluice authors. MIT license.

/**
 * Every function that accepts bytes, with every kind of false property: the intrinsic length
 * counts, and bytes of other memory are never included.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  bufferSink,
  BufReader,
  BufWriter,
  bytesSource,
  cancellableSource,
  chunks,
  copy,
  fromIterable,
  fromReadableStream,
  fromWritableStream,
  parse,
  pipe,
  proxy,
  readAll,
  readExact,
  type Sink,
  type Source,
  toReadableStream,
  toWritableStream,
  withBufWriter,
  writeAll,
} from "../../flow/mod.ts";
import { give, type GivingSink, lend, type LendingSource } from "../../flow/provider.ts";
import { socketPair } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { honest, impostors, liars, secret, truth } from "./_liars.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A small size, for which runtimes share memory, and a larger one. */
const sizes: readonly number[] = [5, 9000];

/** Every way to write, which returns the bytes that arrived. */
const waysIn: Record<string, (bytes: Bytes) => Promise<Uint8Array>> = {
  "write() of a pipe": (bytes) => throughPipe((a) => counts(a.write(bytes), bytes)),
  "[give]() of a pipe": (bytes) => throughPipe((a) => counts(a[give]([bytes]), bytes)),
  "write() of a socketPair": (bytes) => throughPair((a) => counts(a.write(bytes), bytes)),
  "[give]() of a socketPair": (bytes) => throughPair((a) => counts(a[give]([bytes]), bytes)),
  "write() of a bufferSink": (bytes) => throughSink((sink) => counts(sink.write(bytes), bytes)),
  "[give]() of a bufferSink": (bytes) => throughSink((sink) => counts(sink[give]([bytes]), bytes)),
  "writeAll() to a pipe": (bytes) => throughPipe((a) => writeAll(a, bytes)),
  "writeAll() to a sink that believes what it gets": (bytes) => throughNaive((sink) => writeAll(sink, bytes)),
  "writeAll() to a sink that takes three bytes": (bytes) => throughShort((sink) => writeAll(sink, bytes)),
  "writeAll() of several": (bytes) =>
    throughSink((sink) => writeAll(sink, new Uint8Array(0), bytes, new Uint8Array(0))),
  "bytesSource()": (bytes) => readAll(bytesSource(bytes)),
  "bytesSource() of two": async (bytes) => (await readAll(bytesSource(bytes, bytes))).slice(0, truth(bytes).length),
  "fromIterable()": (bytes) => readAll(fromIterable([bytes])),
  "fromIterable() of a promise": (bytes) => readAll(fromIterable(later(bytes))),
  "BufReader.of()": (bytes) => readAll(BufReader.of(bytes).asSource()),
  "BufReader.of().takeAll()": (bytes) => BufReader.of(bytes).takeAll(),
  "parse()": (bytes) => parse(bytes, (reader) => reader.takeAll()),
  "parse() with maxSize": (bytes) => parse(bytes, (reader) => reader.takeAll(), { maxSize: 10_000 }),
  "BufReader.unread()": async (bytes) => {
    const flow = { ...lender(bytes, true), write: () => Promise.resolve(1), shutdown: () => Promise.resolve() };
    const reader = new BufReader(flow);
    await reader.ensure(1);
    const sink = bufferSink();
    await copy(reader.unread(flow), sink);
    return sink.bytes();
  },
  "BufWriter.bytes()": (bytes) => throughSink((sink) => withBufWriter(sink, (w) => w.bytes(bytes))),
  "BufWriter.schedule()": (bytes) => throughSink((sink) => withBufWriter(sink, (w) => w.schedule(bytes))),
  "BufWriter.schedule() to a sink that believes what it gets": (bytes) =>
    throughNaive((sink) => withBufWriter(sink, (w) => w.schedule(bytes))),
  "BufWriter.awaitBatch()": async (bytes) => {
    const writer = new BufWriter();
    writer.schedule(bytes);
    const [batch] = await writer.awaitBatch() ?? [];
    assertEquals(batch.length, writer.pendingBytes);
    writer.abort();
    return batch;
  },
  "what a source lends to copy()": (bytes) => throughSink((sink) => copy(lender(bytes), sink)),
  "what a source lends to copy() to a sink that believes what it gets": (bytes) =>
    throughNaive((sink) => copy(lender(bytes), sink)),
  "what a source lends to be kept": (bytes) => throughSink((sink) => copy(lender(bytes, true), sink)),
  "what a source lends to a sink that answers at once": (bytes) => throughSink((sink) => copy(prompt(bytes), sink)),
  "what a source lends to BufReader": (bytes) => new BufReader(lender(bytes)).takeAll(),
  "what a source lends to BufReader to be kept": (bytes) => new BufReader(lender(bytes, true)).takeAll(),
  "what a source lends to chunks()": async (bytes) => {
    for await (const chunk of chunks(lender(bytes))) return chunk;
    return new Uint8Array(0);
  },
  "what a source lends to toReadableStream()": (bytes) => readAll(fromReadableStream(toReadableStream(lender(bytes)))),
  "what a flow lends to proxy()": async (bytes) => {
    const [a, b] = pipe();
    const sink = bufferSink();
    await b.close();
    await proxy({ ...lender(bytes), write: async () => await 1, shutdown: async () => {} }, {
      ...sink,
      read: (buffer: Uint8Array) => a.read(buffer),
      shutdown: async () => {},
    });
    return sink.bytes();
  },
  "a chunk of fromReadableStream()": (bytes) =>
    readAll(fromReadableStream(new ReadableStream({ start: (c) => (c.enqueue(bytes), c.close()) }))),
  "a chunk of toWritableStream()": (bytes) => throughSink((sink) => toWritableStream(sink).getWriter().write(bytes)),
  "write() of fromWritableStream()": (bytes) => throughStream((sink) => writeAll(sink, bytes)),
  "[give]() of fromWritableStream()": (bytes) => throughStream((sink) => counts(sink[give]([bytes]), bytes)),
};

for (const [name, put] of Object.entries(waysIn)) {
  test(`${name} takes bytes for what they are, whatever they say`, async () => {
    for (const size of sizes) {
      for (const [lie, make] of liars(size)) assertSame(await put(make()), honest(size), lie);
    }
  });

  test(`${name} refuses what is not bytes, by a short TypeError`, async () => {
    for (const [what, bad] of impostors()) {
      const error = await assertRejects(async () => await put(bad as Bytes), TypeError, undefined, what);
      assert(error.message.length < 100, `${what}: ${error.message.length} characters`);
    }
  });
}

/** Every way to read "hello" into a buffer. Returns the count, if there is one. */
const readers: Record<string, (buffer: Bytes) => Promise<number | null | void>> = {
  "read() of a pipe": async (buffer) => {
    const [a, b] = pipe();
    await a.write(hello);
    return await b.read(buffer);
  },
  "read() of a pipe that waits": async (buffer) => {
    const [a, b] = pipe();
    const reading = b.read(buffer);
    await a.write(hello);
    return await reading;
  },
  "read() of a socketPair": async (buffer) => {
    const [a, b] = socketPair();
    await a.write(hello);
    return await b.read(buffer);
  },
  "read() of bytesSource()": (buffer) => bytesSource(hello).read(buffer),
  "read() of cancellableSource()": (buffer) => cancellableSource(bytesSource(hello)).read(buffer),
  "read() of fromReadableStream()": (buffer) => fromReadableStream(new Blob([hello]).stream()).read(buffer),
  "read() of BufReader.asSource()": (buffer) => BufReader.of(hello).asSource().read(buffer),
  "read() of BufReader.asSource() past its buffer": (buffer) =>
    new BufReader(naiveSource(hello), { initialSize: 1 }).asSource().read(buffer),
  "read() of BufReader.unread()": async (buffer) => {
    const [a, b] = pipe();
    await a.write(hello);
    const reader = new BufReader(b);
    await reader.ensure(1);
    return await reader.unread(b).read(buffer);
  },
  "readExact()": (buffer) => readExact(bytesSource(hello.subarray(0, 1), hello.subarray(1)), buffer),
  "readExact() of a source that believes what it gets": (buffer) => readExact(naiveSource(hello), buffer),
};

const hello: Bytes = new TextEncoder().encode("hello");

for (const [name, read] of Object.entries(readers)) {
  test(`${name} fills a buffer for what it is, whatever it says`, async () => {
    for (const [lie, make] of liars(hello.length)) {
      const buffer = make();
      const count = await read(buffer);
      if (typeof count === "number") assertEquals(count, hello.length, lie);
      assertSame(truth(buffer), hello, lie);
    }
  });

  test(`${name} refuses a buffer that is not bytes, by a short TypeError`, async () => {
    for (const [what, bad] of impostors()) {
      const error = await assertRejects(async () => await read(bad as Bytes), TypeError, undefined, what);
      assert(error.message.length < 100, `${what}: ${error.message.length} characters`);
    }
  });
}

test("a read into a liar with neighbours writes to nothing but its own bytes", async () => {
  const memory = new Uint8Array(32).fill(secret);
  const buffer = Object.defineProperty(memory.subarray(8, 13), "length", { value: 24 });
  const [a, b] = pipe();
  await a.write(new Uint8Array(32).fill(1));
  assertEquals(await b.read(buffer), 5);
  assertEquals([...memory].map((byte, at) => byte === (at >= 8 && at < 13 ? 1 : secret)), Array(32).fill(true));
});

test("toReadableStream() reads into a buffer of the reader's for what it is", async () => {
  for (const [lie, make] of liars(5)) {
    const reader = toReadableStream(bytesSource(hello)).getReader({ mode: "byob" });
    const got = await reader.read(make()).catch((error) => error);
    if (got instanceof Error) continue; // the runtime refuses to transfer it
    assertSame(truth(got.value), hello.subarray(0, truth(got.value).length), lie);
    await reader.cancel();
  }
});

/** Impossible counts that a foreign source or sink returns for 3 bytes. */
const impossible: readonly unknown[] = [4, 1e9, 0, -1, 1.5, NaN, Infinity, "3", 3n, undefined, null, {}, [3]];

test("a sink that takes more than it was given, or returns anything but a count, is a TypeError", async () => {
  const bytes = honest(3);
  for (const count of impossible) {
    const sink = { write: () => Promise.resolve(count as number) };
    const giving = { ...sink, [give]: () => Promise.resolve(count as number) };
    for (const each of [sink, giving]) {
      await assertRejects(() => writeAll(each, bytes), TypeError, "must return a count from 1 to 3");
      await assertRejects(() => writeAll(each, bytes.subarray(0, 1), bytes.subarray(1)), TypeError);
      await assertRejects(() => copy(bytesSource(bytes), each), TypeError, "must return a count from 1 to 3");
      await assertRejects(() => copy(lender(bytes, true), each), TypeError, "must return a count from 1 to 3");
      await assertRejects(
        () => withBufWriter(each, (w) => w.bytes(bytes)),
        TypeError,
        "must return a count from 1 to 3",
      );
    }
  }
});

test("a source that reads more than the buffer holds, or returns anything but a count, is a TypeError", async () => {
  for (const count of impossible.filter((each) => each !== null)) {
    const source = { read: () => Promise.resolve(count as number) };
    await assertRejects(() => readExact(source, honest(3)), TypeError, "must return a count from 1 to 3");
  }
  const source = { read: (buffer: Uint8Array) => Promise.resolve(buffer.length + 1) };
  const ways = [
    () => readAll(source),
    () => copy(source, bufferSink()),
    () => cancellableSource(source).read(honest(3)),
    () => new BufReader(source).takeAll(),
    () => new BufReader(source).asSource().read(honest(3)),
    () => readAll(fromReadableStream(toReadableStream(source))),
    async () => {
      for await (const _ of chunks(source));
    },
  ];
  for (const way of ways) await assertRejects(way, TypeError, "must return a count from 1 to");
});

test("a source that says it lent what was not taken is a TypeError", async () => {
  for (const count of [4, 2, 1e9, NaN, "3"]) {
    const source: LendingSource = {
      read: () => Promise.reject(new Error("Cannot read: it lends")),
      [lend]: async (use) => (await use(honest(3), true), count as number),
    };
    await assertRejects(() => copy(source, bufferSink()), TypeError, "the source reported");
    await assertRejects(() => new BufReader(source).takeAll(), TypeError, "the source reported");
  }
});

test("a borrower that says it took what was not lent is a RangeError, whatever it makes of what it borrows", async () => {
  const [a, b] = pipe();
  const [c, d] = socketPair();
  for (const sink of [a, c]) await sink.write(honest(3));
  const reader = BufReader.of(honest(3)).asSource();
  const sources = [b, d, bytesSource(honest(3)), reader] as LendingSource[];
  for (const source of sources) {
    for (const count of [4, 1e9, -1, 1.5, NaN, "3", undefined]) {
      const lie = (bytes: Bytes) => {
        const claims = { length: { value: 1e9 }, subarray: { value: () => new Uint8Array(9) } };
        Object.defineProperties(bytes, claims);
        return count as number;
      };
      await assertRejects(() => source[lend](lie), RangeError, "of 3 bytes");
    }
    const [first] = await Promise.all([source.read(new Uint8Array(2))]);
    assertEquals(first, 2);
    assertEquals(await source[lend](async (bytes) => await bytes.length), 1);
  }
});

/** Checks that the count is that of the bytes themselves. */
async function counts(operation: number | Promise<number>, bytes: Uint8Array): Promise<void> {
  assertEquals(await operation, truth(bytes).length);
}

function assertSame(arrived: Uint8Array, expected: Uint8Array, lie: string): void {
  if (arrived.length === expected.length && expected.every((byte, at) => arrived[at] === byte)) return;
  throw new Error(`With ${lie}: ${arrived.length} bytes arrived, and not the ${expected.length} that there are`);
}

async function* later(bytes: Bytes): AsyncGenerator<Bytes> {
  yield await Promise.resolve(bytes);
}

/** A source of one piece. */
function lender(bytes: Bytes, keep = false): LendingSource {
  let ended = false;
  return {
    read: () => Promise.reject(new Error("Cannot read: it lends")),
    async [lend](use) {
      if (ended) return null;
      const taken = await use(bytes, keep);
      ended = true;
      return taken;
    },
  };
}

/** A source of one piece that checks the result synchronously. */
function prompt(bytes: Bytes): LendingSource {
  let ended = false;
  return {
    read: () => Promise.reject(new Error("Cannot read: it lends")),
    [lend](use) {
      if (ended) return Promise.resolve(null);
      ended = true;
      const taken = use(bytes, true);
      assertEquals(typeof taken, "number");
      return Promise.resolve(taken);
    },
  };
}

/** A source that trusts the properties of a buffer. */
function naiveSource(bytes: Bytes): Source {
  return {
    read(buffer) {
      buffer.set(bytes);
      return Promise.resolve(Math.min(bytes.length, buffer.length));
    },
  };
}

async function throughPipe(put: (sink: GivingSink) => Promise<unknown>): Promise<Uint8Array> {
  const [a, b] = pipe();
  await put(a);
  await a.close();
  return await readAll(b);
}

async function throughPair(put: (sink: GivingSink) => Promise<unknown>): Promise<Uint8Array> {
  const [a, b] = socketPair();
  await put(a as typeof a & GivingSink);
  await a.close();
  return await readAll(b);
}

async function throughSink(put: (sink: GivingSink) => Promise<unknown>): Promise<Uint8Array> {
  const sink = bufferSink();
  await put(sink);
  return sink.bytes();
}

/** Writes through a sink that trusts the properties of its bytes. */
async function throughNaive(put: (sink: Sink) => Promise<unknown>): Promise<Uint8Array> {
  const taken: number[] = [];
  await put({
    write(bytes) {
      for (let i = 0; i < bytes.length; i++) taken.push(bytes[i] ?? secret);
      return Promise.resolve(bytes.length);
    },
  });
  return Uint8Array.from(taken);
}

/** Writes through a sink that takes 3 bytes per write. */
async function throughShort(put: (sink: Sink) => Promise<unknown>): Promise<Uint8Array> {
  const taken: number[] = [];
  await put({
    write(bytes) {
      const part = bytes.subarray(0, 3);
      taken.push(...part);
      return Promise.resolve(part.length);
    },
  });
  return Uint8Array.from(taken);
}

async function throughStream(put: (sink: GivingSink) => Promise<unknown>): Promise<Uint8Array> {
  const taken = bufferSink();
  const sink = fromWritableStream(new WritableStream({ write: (chunk) => writeAll(taken, chunk) }));
  await put(sink);
  await sink.close();
  return taken.bytes();
}
