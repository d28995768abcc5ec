// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { BufferLimitExceeded, BufReader, BusyError, EndOfFlow, pipe, type Source } from "../../../flow/mod.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { Cancelled, yieldNow } from "../../../switch/mod.ts";
import { bytesOf, inCancelledScope } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { cancelling, foreignSource } from "../_helpers.ts";

/** A source that does not lend, fills each buffer, and records its size. */
function greedySource(text: string): Source & { asked: number[] } {
  let left = bytesOf(text);
  const source = {
    asked: [] as number[],
    read(buffer: Uint8Array): Promise<number | null> {
      source.asked.push(buffer.length);
      const part = left.subarray(0, buffer.length);
      left = left.subarray(part.length);
      buffer.set(part);
      return Promise.resolve(part.length === 0 ? null : part.length);
    },
  };
  return source;
}

test("BufReader reads nothing before it is asked to", async () => {
  const source = foreignSource("hello");
  const reader = new BufReader(source, { maxSize: 10 });
  assertEquals([reader.peek().length, reader.buffered, reader.consumed, reader.eofSeen], [0, 0, 0, false]);
  await reader.ensure(0);
  await reader.take(0);
  await reader.skip(0);
  await reader.string("");
  assertEquals(source.reads, 0);
});

test("BufReader.ensure() doubles its buffer up to maxSize, and offers all free space to each read", async () => {
  const source = greedySource("hello world!");
  const reader = new BufReader(source, { initialSize: 4, maxSize: 10 });
  await reader.ensure(1);
  assertEquals([source.asked, reader.peek()], [[4], bytesOf("hell")]);
  await reader.ensure(5);
  assertEquals([source.asked, reader.peek()], [[4, 4], bytesOf("hello wo")]);
  await reader.ensure(9);
  assertEquals([source.asked, reader.peek()], [[4, 4, 2], bytesOf("hello worl")]);
  const error = await assertRejects(() => reader.ensure(11), BufferLimitExceeded);
  assertEquals([error.limit, source.asked, reader.peek()], [10, [4, 4, 2], bytesOf("hello worl")]);
});

test("BufReader.ensure() of more than twice its buffer allocates what is needed", async () => {
  const source = greedySource("hello world!");
  const reader = new BufReader(source, { initialSize: 2, maxSize: 100 });
  await reader.ensure(9);
  assertEquals(source.asked, [9]);
});

test("BufReader.ensure() moves what is left to the front before it grows", async () => {
  const source = greedySource("hello world!");
  const reader = new BufReader(source, { initialSize: 4, maxSize: 10 });
  await reader.ensure(4);
  reader.consume(3);
  await reader.ensure(4);
  assertEquals([source.asked, reader.peek()], [[4, 3], bytesOf("lo w")]);
});

test("BufReader.ensure() keeps reading until it has enough", async () => {
  const source = foreignSource("a", "b", "c", "d");
  const reader = new BufReader(source, { maxSize: 10 });
  await reader.ensure(3);
  assertEquals([source.reads, reader.peek()], [3, bytesOf("abc")]);
});

test("BufReader.ensure() uses what is buffered first", async () => {
  const source = foreignSource("abcd", "e");
  const reader = new BufReader(source, { maxSize: 10 });
  await reader.ensure(1);
  reader.consume(2);
  await reader.ensure(2);
  assertEquals([source.reads, reader.consumed], [1, 2]);
  await reader.ensure(3);
  assertEquals([source.reads, reader.peek()], [2, bytesOf("cde")]);
});

test("BufReader never touches its source again after the end", async () => {
  const source = foreignSource("hi");
  const reader = new BufReader(source, { maxSize: 100 });
  await assertRejects(() => reader.ensure(10), EndOfFlow, "Cannot read 10 bytes: the flow ended after 2");
  assertEquals([source.reads, reader.eofSeen, reader.peek()], [2, true, bytesOf("hi")]);
  await assertRejects(() => reader.ensure(10), EndOfFlow);
  assertEquals(await reader.takeAll(), bytesOf("hi"));
  assertEquals(await reader.takeAll(), bytesOf(""));
  assertEquals([await reader.line(), await reader.peekByte(), await reader.atEnd()], [null, null, true]);
  assertEquals(source.reads, 2);
});

test("BufReader.consume() drops what is buffered, and never reads", async () => {
  const source = foreignSource("hello");
  const reader = new BufReader(source, { maxSize: 10 });
  await reader.ensure(1);
  reader.consume(0);
  reader.consume(3);
  assertEquals([reader.peek(), reader.consumed, reader.buffered, source.reads], [bytesOf("lo"), 3, 2, 1]);
});

test("BufReader.consume() of what is not buffered is a RangeError, and consumes nothing", () => {
  const reader = BufReader.of("abc");
  assertThrows(() => reader.consume(4), RangeError, "Cannot use 4 as size: must be a whole number from 0 to 3");
  for (const bad of [-1, 1.5, NaN, Infinity]) assertThrows(() => reader.consume(bad), RangeError);
  assertThrows(() => reader.consume("1" as unknown as number), TypeError);
  assertEquals([reader.consumed, reader.buffered], [0, 3]);
});

test("BufReader.take() of more than is left takes nothing", async () => {
  const reader = new BufReader(foreignSource("a", "bc"), { maxSize: 10 });
  await reader.anyByte();
  await assertRejects(() => reader.take(3), EndOfFlow, "Cannot read 3 bytes: the flow ended after 2");
  assertEquals([reader.consumed, await reader.take(2)], [1, bytesOf("bc")]);
});

test("BufReader.take() of more than maxSize is a BufferLimitExceeded, and reads nothing", async () => {
  const source = foreignSource("abc");
  const reader = new BufReader(source, { maxSize: 4 });
  await assertRejects(() => reader.take(5), BufferLimitExceeded, "Cannot buffer more than 4 bytes");
  assertEquals(source.reads, 0);
});

test("BufReader.take() of more than maxSize is the same after the end was seen", async () => {
  const reader = new BufReader(foreignSource("abc"), { maxSize: 4 });
  await assertRejects(() => reader.take(4), EndOfFlow);
  await assertRejects(() => reader.take(5), BufferLimitExceeded);
});

test("BufReader.take() returns memory of its own", async () => {
  const data = bytesOf("abcdef");
  const taken = await BufReader.of(data).take(3);
  data.fill(0);
  assertEquals([taken, taken.buffer.byteLength], [bytesOf("abc"), 3]);
});

test("BufReader.takeAll() of maxSize bytes or more is a BufferLimitExceeded, and they stay readable", async () => {
  for (const text of ["abcd", "abcdefgh"]) {
    const reader = new BufReader(foreignSource("ab", text.slice(2)), { maxSize: 4 });
    await assertRejects(() => reader.takeAll(), BufferLimitExceeded);
    assertEquals([reader.consumed, await reader.take(4)], [0, bytesOf("abcd")]);
  }
});

test("BufReader.takeAll() returns what is left when it is less than maxSize", async () => {
  const reader = new BufReader(foreignSource("ab", "c"), { maxSize: 4 });
  assertEquals([await reader.takeAll(), reader.consumed, reader.eofSeen], [bytesOf("abc"), 3, true]);
});

test("BufReader.skip() drops more than fits into the buffer", async () => {
  const reader = new BufReader(foreignSource(pattern(0, 100), pattern(100, 100)), { maxSize: 8 });
  await reader.skip(150);
  assertEquals([reader.consumed, await reader.take(4)], [150, pattern(150, 4)]);
});

test("BufReader.skip() past the end is an EndOfFlow, and everything is gone", async () => {
  const reader = new BufReader(foreignSource("ab", "c"), { maxSize: 8 });
  await assertRejects(() => reader.skip(5), EndOfFlow, "Cannot skip 5 bytes: the flow ended after 3");
  assertEquals([reader.consumed, await reader.atEnd()], [3, true]);
});

test("BufReader.atEnd() reads only when nothing is buffered", async () => {
  const source = foreignSource("a");
  const reader = new BufReader(source, { maxSize: 8 });
  assertEquals([await reader.atEnd(), await reader.atEnd(), source.reads], [false, false, 1]);
  await reader.skip(1);
  assertEquals([await reader.atEnd(), source.reads], [true, 2]);
});

test("BufReader.endOfInput() waits on an open and idle flow until it is cancelled", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(a, { maxSize: 8 });
  await cancelling(() => reader.endOfInput(), yieldNow);
  await cancelling(() => reader.atEnd(), yieldNow);
  await b.close();
  await reader.endOfInput();
});

test("BufReader that is cancelled while it waits has lost nothing", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(a, { maxSize: 100 });
  await b.write(bytesOf("on"));
  await cancelling(() => reader.line(), yieldNow);
  await cancelling(() => reader.take(4), yieldNow);
  await b.write(bytesOf("e\n"));
  assertEquals([await reader.line(), reader.consumed], ["one", 4]);
});

test("BufReader that is cancelled while a foreign source reads keeps what that gives", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const reader = new BufReader(foreignSource(promise, "c"), { maxSize: 100 });
  await cancelling(() => reader.take(3), () => resolve("ab"));
  assertEquals([reader.buffered, await reader.take(3)], [2, bytesOf("abc")]);
});

test("BufReader refuses every operation in a cancelled scope, even where the bytes are there", async () => {
  const reader = BufReader.of("abcdefgh\n");
  await inCancelledScope(async () => {
    for (const operation of operationsOf(reader)) await assertRejects(operation, Cancelled);
  });
  assertEquals([reader.consumed, reader.buffered], [0, 9]);
});

test("BufReader refuses a second operation while one waits, and disturbs neither", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(a, { maxSize: 100 });
  await b.write(bytesOf("on"));
  const line = reader.line();
  await yieldNow();
  for (const operation of operationsOf(reader)) {
    await assertRejects(operation, BusyError, "Cannot read: another read is under way");
  }
  assertThrows(() => reader.consume(1), BusyError);
  await b.write(bytesOf("e\n"));
  assertEquals(await line, "one");
});

test("BufReader whose source fails throws that error as it is, and keeps what is buffered", async () => {
  const error = new Error("Cannot read: the connection was reset");
  const reader = new BufReader(foreignSource("abc", error), { maxSize: 100 });
  assertStrictEquals(await assertRejects(() => reader.line()), error);
  assertEquals([reader.buffered, reader.eofSeen, await reader.take(3)], [3, false, bytesOf("abc")]);
});

test("BufReader of a source that returns an invalid byte count is a TypeError, not an endless loop", async () => {
  for (const count of [0, -1, 5, 1.5, NaN, undefined]) {
    const reader = new BufReader({ read: () => Promise.resolve(count as number) }, { maxSize: 4 });
    await assertRejects(() => reader.line(), TypeError, `it gave ${count}`);
  }
});

test("BufReader with sizes that are none throws, and reads nothing", () => {
  const source = foreignSource("abc");
  for (const maxSize of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => new BufReader(source, { maxSize }), RangeError, "as maxSize: must be a whole number >= 1");
    assertThrows(() => new BufReader(source, { maxSize: 1, initialSize: maxSize }), RangeError, "as initialSize");
  }
  assertThrows(() => new BufReader(source, { maxSize: "1" as unknown as number }), TypeError, "as maxSize");
  assertThrows(() => new BufReader("abc" as unknown as Source, { maxSize: 1 }), TypeError, "must be a source");
  assertThrows(() => BufReader.of(1 as unknown as string), TypeError, "must be a Uint8Array");
  assertEquals(source.reads, 0);
});

test("BufReader allocates no more than maxSize, whatever initialSize says", async () => {
  const source = greedySource("hello world!");
  await new BufReader(source, { maxSize: 3, initialSize: undefined }).anyByte();
  await new BufReader(source, { maxSize: 3, initialSize: 10 }).anyByte();
  assertEquals(source.asked, [3, 3]);
});

test("BufReader refuses arguments that cannot be before it reads", async () => {
  const source = foreignSource("abc");
  const reader = new BufReader(source, { maxSize: 10 });
  for (const bad of [-1, 1.5, NaN, Infinity]) {
    for (const name of ["take", "skip", "ensure"] as const) {
      await assertRejects(() => reader[name](bad), RangeError, `Cannot use ${bad} as size`);
    }
  }
  for (const bad of [-1, 256, 1.5]) await assertRejects(() => reader.byte(bad), RangeError, "from 0 to 255");
  for (const name of ["take", "skip", "ensure", "byte", "string"] as const) {
    await assertRejects(() => (reader[name] as (bad: unknown) => Promise<unknown>)({}), TypeError);
  }
  for (const name of ["takeWhile", "takeWhile1", "skipWhile", "skipWhile1"] as const) {
    const call = () => reader[name]("a" as unknown as () => boolean) as Promise<unknown>;
    await assertRejects(call, TypeError, `Cannot ${name}: \"a\" is not a function`);
  }
  assertEquals(source.reads, 0);
});

test("BufReader.of() reads bytes where they lie, without a limit, and has seen the end", async () => {
  const data = pattern(0, 100_000);
  const reader = BufReader.of(data);
  assertStrictEquals(reader.peek().buffer, data.buffer);
  assertEquals([reader.buffered, reader.eofSeen], [100_000, true]);
  await assertRejects(() => reader.take(100_001), EndOfFlow);
  assertEquals(await reader.takeAll(), data);
});

test("BufReader.of() reads a text as UTF-8", async () => {
  assertEquals(await BufReader.of("é").takeAll(), Uint8Array.of(0xc3, 0xa9));
});

test("BufReader over a source that never waits lets others run, and can be cancelled", async () => {
  const reader = new BufReader({ read: () => Promise.resolve(1) }, { maxSize: 8 });
  await cancelling(() => reader.skipWhile(() => true), yieldNow);
  await cancelling(() => reader.skip(Number.MAX_SAFE_INTEGER), yieldNow);
});

test("BufReader cannot be tampered with", () => {
  const reader = BufReader.of("a");
  assert(Object.isFrozen(reader) && Object.isFrozen(BufReader.prototype) && Object.isFrozen(reader.asSource()));
});

/** Every operation that may wait. Each can complete synchronously on "abcdefgh\n". */
function operationsOf(reader: BufReader): (() => Promise<unknown>)[] {
  const source = reader.asSource();
  return [
    () => reader.line(),
    () => reader.lines()[Symbol.asyncIterator]().next(),
    () => reader.lineBatches()[Symbol.asyncIterator]().next(),
    () => reader.take(1),
    () => reader.takeAll(),
    () => reader.takeWhile(() => false),
    () => reader.takeWhile1(() => true),
    () => reader.skip(0),
    () => reader.skipWhile(() => false),
    () => reader.skipWhile1(() => true),
    () => reader.byte(97),
    () => reader.string("a"),
    () => reader.anyByte(),
    () => reader.peekByte(),
    () => reader.uint16be(),
    () => reader.float64le(),
    () => reader.atEnd(),
    () => reader.endOfInput(),
    () => reader.ensure(0),
    () => source.read(new Uint8Array(1)),
  ];
}
