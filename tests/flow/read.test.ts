// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BufferLimitExceeded,
  bytesSource,
  cancellableSource,
  EndOfFlow,
  pipe,
  readable,
  readAll,
  readExact,
  type Source,
  stringSource,
} from "../../flow/mod.ts";
import { lend } from "../../flow/provider.ts";
import { pattern } from "../../net/testing/_random.ts";
import { Cancelled } from "../../switch/mod.ts";
import { bytesOf, inCancelledScope, readText } from "../_helpers.ts";
import { test } from "../_test.ts";
import { cancelling, foreignSource } from "./_helpers.ts";

/** Counts that are invalid for a read of 4 bytes. */
const impossible: unknown[] = [0, -1, 5, 1.5, NaN, Infinity, undefined, "1", 1n];

test("readExact() fills its buffer by as many reads as it takes", async () => {
  const source = foreignSource("a", "bc", "def");
  const buffer = new Uint8Array(5);
  await readExact(source, buffer);
  assertEquals(buffer, bytesOf("abcde"));
  assertEquals(await readText(source), "f");
});

test("readExact() of a source that ends too early is an EndOfFlow", async () => {
  const error = await assertRejects(() => readExact(stringSource("ab"), new Uint8Array(3)), EndOfFlow);
  assertEquals(error.message, "Cannot read 3 bytes: the flow ended after 2");
});

test("readExact() of an empty buffer does not touch the source", async () => {
  const source = foreignSource();
  await readExact(source, new Uint8Array(0));
  assertEquals(source.reads, 0);
});

test("readExact() is refused in a cancelled scope, where the source itself would not look", async () => {
  const source = foreignSource("a");
  await inCancelledScope(async () => {
    await assertRejects(() => readExact(source, new Uint8Array(1)), Cancelled);
    await assertRejects(() => readExact(source, new Uint8Array(0)), Cancelled);
  });
  assertEquals(source.reads, 0);
});

test("readExact() stops a foreign source between reads", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const source = foreignSource(promise, "b");
  await cancelling(() => readExact(source, new Uint8Array(2)), () => resolve("a"));
  assertEquals(source.reads, 1);
});

test("readExact() refuses what is not a Uint8Array", async () => {
  await assertRejects(
    () => readExact(stringSource("a"), "x" as unknown as Uint8Array),
    TypeError,
    "Cannot use a string as bytes",
  );
});

test("readExact() of a source that returns an invalid byte count is a TypeError, not an endless loop", async () => {
  for (const count of impossible) {
    const source: Source = { read: () => Promise.resolve(count as number) };
    await assertRejects(
      () => readExact(source, new Uint8Array(4)),
      TypeError,
      `Cannot read as the source must return a count from 1 to 4: it gave ${count === "1" ? "a string" : count}`,
    );
  }
});

test("readAll() returns 10 240 bytes that come in chunks of 256", async () => {
  const chunks = Array.from({ length: 40 }, (_, i) => pattern(i * 256, 256));
  assertEquals(await readAll(foreignSource(...chunks)), pattern(0, 10_240));
});

test("readAll() returns what is larger than its first buffer", async () => {
  assertEquals(await readAll(bytesSource(pattern(0, 100_000))), pattern(0, 100_000));
});

test("readAll() returns memory that is exactly large enough", async () => {
  const all = await readAll(stringSource("hello"));
  assertEquals([all.length, all.byteOffset, all.buffer.byteLength], [5, 0, 5]);
});

test("readAll() of an ended source gives no bytes", async () => {
  assertEquals(await readAll(foreignSource()), new Uint8Array(0));
});

test("readAll() takes exactly maxSize bytes", async () => {
  for (const size of [0, 1, 16_384, 40_000]) {
    assertEquals(await readAll(bytesSource(pattern(0, size)), { maxSize: size }), pattern(0, size));
  }
});

test("readAll() of one byte more than maxSize is a BufferLimitExceeded", async () => {
  for (const size of [0, 1, 16_384, 40_000]) {
    const reading = () => readAll(bytesSource(pattern(0, size + 1)), { maxSize: size });
    assertEquals((await assertRejects(reading, BufferLimitExceeded)).limit, size);
  }
});

test("readAll() never asks for more than one byte beyond maxSize", async () => {
  let asked = 0;
  const source: Source = {
    read(buffer) {
      asked = Math.max(asked, buffer.length);
      return Promise.resolve(buffer.length);
    },
  };
  await assertRejects(() => readAll(source, { maxSize: 100 }), BufferLimitExceeded);
  assertEquals(asked, 101);
});

test("readAll() with a maxSize that is none is a RangeError, and reads nothing", async () => {
  const source = foreignSource("a");
  for (const maxSize of [-1, 1.5, NaN, -Infinity, "7" as unknown as number]) {
    await assertRejects(() => readAll(source, { maxSize }), RangeError, "maxSize must be a whole number >= 0");
  }
  assertEquals(source.reads, 0);
});

test("readAll() takes an undefined maxSize as absent", async () => {
  assertEquals((await readAll(stringSource("hello"), { maxSize: undefined })).length, 5);
});

test("readAll() of a source that returns an invalid byte count is a TypeError, not an endless loop", async () => {
  for (const count of [0, -1, 20_000, undefined]) {
    const source: Source = { read: () => Promise.resolve(count as number) };
    await assertRejects(() => readAll(source), TypeError, `it gave ${count}`);
  }
});

test("readable() takes no byte", async () => {
  const source = stringSource("hello");
  await readable(source);
  assertEquals(await readText(source), "hello");
});

test("readable() is fulfilled at the end", async () => {
  await readable(stringSource(""));
});

test("readable() counts as a read that waits", async () => {
  const [a, b] = pipe();
  const waiting = readable(a);
  await assertRejects(() => a.read(new Uint8Array(1)), Error, "another read is under way");
  await b.close();
  await waiting;
});

test("readable() hands no buffer to a source that lends", async () => {
  let reads = 0;
  const source = {
    read: () => Promise.resolve(++reads),
    [lend]: async (use: (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => unknown) =>
      await use(Uint8Array.of(1), false) as number,
  };
  await readable(source);
  assertEquals(reads, 0);
});

test("readable() of a source that does not lend is a TypeError that says what to do", async () => {
  await assertRejects(() => readable(foreignSource("a")), TypeError, "wrap it in cancellableSource");
  await readable(cancellableSource(foreignSource("a")));
});

test("readable() of a lender that lies about its loans is a TypeError", async () => {
  for (const [calls, count] of [[true, 1], [true, -1], [false, 0], [false, 3]] as const) {
    const source = {
      read: () => Promise.resolve(null),
      [lend]: async (use: (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => unknown) => {
        if (calls) await use(Uint8Array.of(1), false);
        return count;
      },
    };
    const error = await assertRejects(() => readable(source), TypeError);
    assert(error.message.startsWith(`Cannot read: the source reported ${count} bytes`), error.message);
  }
});
