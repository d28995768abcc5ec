// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { bufferSink, copyString, pipe, type Sink, writeAll } from "../../flow/mod.ts";
import { give } from "../../flow/provider.ts";
import { pattern } from "../../net/testing/_random.ts";
import { both, Cancelled } from "../../switch/mod.ts";
import { bytesOf, inCancelledScope } from "../_helpers.ts";
import { test } from "../_test.ts";
import { cancelling, shortSink } from "./_helpers.ts";

/** A sink without `give` that records each write, and takes everything. */
function recordingSink(): Sink & { writes: Uint8Array[] } {
  const writes: Uint8Array[] = [];
  return { writes, write: (bytes) => Promise.resolve(writes.push(bytes) > 0 ? bytes.length : 0) };
}

/** Asserts that the sink received a view of the caller's memory, not a copy. */
function assertSameMemory(view: Uint8Array, bytes: Uint8Array): void {
  assertStrictEquals(view.buffer, bytes.buffer);
  assertEquals(view, bytes);
}

test("writeAll() resumes inside a buffer that was taken in part", async () => {
  const sink = shortSink([3, 1]);
  await writeAll(sink, bytesOf("foobar"));
  assertEquals(sink.writes, ["foo", "b", "ar"]);
});

test("writeAll() writes 10 000 buffers of three bytes by one write, in order", async () => {
  const sink = recordingSink();
  await writeAll(sink, ...Array.from({ length: 10_000 }, (_, i) => pattern(i * 3, 3)));
  assertEquals(sink.writes.length, 1);
  assertEquals(sink.writes[0], pattern(0, 30_000));
});

test("writeAll() joins small neighbours into writes of at most 64 KiB", async () => {
  const sink = recordingSink();
  await writeAll(sink, ...Array.from({ length: 10 }, (_, i) => pattern(i * 20_000, 20_000)));
  assertEquals(sink.writes.map((bytes) => bytes.length), [60_000, 60_000, 60_000, 20_000]);
});

test("writeAll() writes a large buffer where it lies", async () => {
  const sink = recordingSink();
  const large = pattern(0, 200_000);
  await writeAll(sink, bytesOf("head"), large, bytesOf("tail"));
  assertSameMemory(sink.writes[1], large);
});

test("writeAll() writes a single small buffer where it lies", async () => {
  const sink = recordingSink();
  const small = bytesOf("small");
  await writeAll(sink, new Uint8Array(0), small, new Uint8Array(0));
  assertSameMemory(sink.writes[0], small);
});

test("writeAll() gives the sink only memory that it has joined itself", async () => {
  const given: Uint8Array[] = [];
  const sink = Object.assign(recordingSink(), {
    [give](buffers: readonly Uint8Array[]) {
      given.push(...buffers);
      return Promise.resolve(Math.min(3, buffers[0].length));
    },
  });
  const [a, b, c] = [bytesOf("aa"), bytesOf("bb"), pattern(0, 100_000)];
  await writeAll(sink, a, b, c);
  assertEquals(given.map((bytes) => new TextDecoder().decode(bytes)), ["aabb", "b"]);
  for (const bytes of given) assertFalse([a.buffer, b.buffer, c.buffer].includes(bytes.buffer as ArrayBuffer));
  assertSameMemory(sink.writes[0], c);
});

test("writeAll() of no bytes does not touch the sink", async () => {
  const sink = recordingSink();
  await writeAll(sink);
  await writeAll(sink, new Uint8Array(0), new Uint8Array(0));
  assertEquals(sink.writes, []);
});

test("writeAll() waits for a slow reader", async () => {
  const [a, b] = pipe({ capacity: 100 });
  const read = async () => {
    for (let done = 0; done < 10_000;) done += await b.read(new Uint8Array(64)) as number;
  };
  await both(() => writeAll(a, pattern(0, 5000), pattern(5000, 5000)), read);
});

test("writeAll() refuses a list in which anything is not a Uint8Array, before it writes", async () => {
  const sink = recordingSink();
  await assertRejects(
    () => writeAll(sink, bytesOf("a"), [1] as unknown as Uint8Array),
    TypeError,
    "Cannot use an array as bytes",
  );
  assertEquals(sink.writes, []);
});

test("writeAll() of a sink that returns an invalid byte count is a TypeError, not an endless loop", async () => {
  for (const count of [0, -1, 5, 1.5, NaN, undefined]) {
    const sink: Sink = { write: () => Promise.resolve(count as number) };
    await assertRejects(
      () => writeAll(sink, bytesOf("four")),
      TypeError,
      `Cannot write as the sink must return a count from 1 to 4: it gave ${count}`,
    );
  }
});

test("writeAll() is refused in a cancelled scope, where the sink itself would not look", async () => {
  const sink = recordingSink();
  await inCancelledScope(async () => {
    await assertRejects(() => writeAll(sink, bytesOf("a")), Cancelled);
    await assertRejects(() => writeAll(sink), Cancelled);
  });
  assertEquals(sink.writes, []);
});

test("writeAll() stops a foreign sink between writes", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const writes: number[] = [];
  const sink: Sink = { write: (bytes) => (writes.push(bytes.length), promise) };
  await cancelling(() => writeAll(sink, bytesOf("hello")), () => resolve(2));
  assertEquals(writes, [5]);
});

test("writeAll() throws what the sink throws", async () => {
  const error = new Error("Cannot write");
  assertStrictEquals(await assertRejects(() => writeAll(shortSink([1], error), bytesOf("ab"))), error);
});

test("copyString() writes UTF-8", async () => {
  const sink = bufferSink();
  await copyString("grüß €😀", sink);
  assertEquals(sink.bytes(), bytesOf("grüß €😀"));
});

test("copyString() resumes where a sink took a part", async () => {
  const sink = shortSink([1, 2]);
  await copyString("hello", sink);
  assertEquals(sink.writes, ["h", "el", "lo"]);
});

test("copyString() of an empty text does not touch the sink", async () => {
  const sink = recordingSink();
  await copyString("", sink);
  assertEquals(sink.writes, []);
});

test("copyString() refuses what is not a string", async () => {
  await assertRejects(() => copyString(7 as unknown as string, bufferSink()), TypeError, "Cannot copy 7");
});

test("copyString() gives its memory to a sink that takes it", async () => {
  let given = 0;
  const sink = Object.assign(recordingSink(), {
    [give]: (buffers: readonly Uint8Array[]) => Promise.resolve(given = buffers[0].length),
  });
  await copyString("hello", sink);
  assert(given === 5 && sink.writes.length === 0);
});
