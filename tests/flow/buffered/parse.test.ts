// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  BufferLimitExceeded,
  BufReader,
  BusyError,
  EndOfFlow,
  parse,
  ParseError,
  pipe,
  sequence,
  type Source,
} from "../../../flow/mod.ts";
import { Cancelled, yieldNow } from "../../../switch/mod.ts";
import { bytesOf, inCancelledScope } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { cancelling, foreignSource } from "../_helpers.ts";

const pair = (r: BufReader) => r.take(2).then((bytes) => new TextDecoder().decode(bytes));

test("parse() returns what its parser gives, from a source, bytes and a text", async () => {
  for (const input of ["ab", bytesOf("ab"), foreignSource("a", "b")]) assertEquals(await parse(input, pair), "ab");
});

test("parse() demands the end of the input", async () => {
  const error = await assertRejects(() => parse("abc", pair), ParseError);
  assertEquals([error.message, error.offset], ['Cannot end the input here: got 99 ("c") (at offset 2)', 2]);
});

test("parse() makes a ParseError of an early end, with the offset where the input ended, and the cause", async () => {
  const error = await assertRejects(() => parse("abc", async (r) => [await pair(r), await pair(r)]), ParseError);
  assertEquals([error.message, error.offset], ["Cannot read 2 bytes: the flow ended after 1 (at offset 3)", 3]);
  assert(error.cause instanceof EndOfFlow);
});

test("parse() makes a ParseError of what is too long for its buffer", async () => {
  for (const input of ["a\nbbbbbb\n", bytesOf("a\nbbbbbb\n"), foreignSource("a\nbbb", "bbb\n")]) {
    const error = await assertRejects(
      () => parse(input, async (r) => [await r.line(), await r.line()], { maxSize: 4 }),
      ParseError,
    );
    assertEquals(error.message, "Cannot buffer more than 4 bytes: a line is longer than maxSize (at offset 2)");
    assertEquals(error.offset, 2);
    assert(error.cause instanceof BufferLimitExceeded);
  }
});

test("parse() buffers at most 1 MiB of a source by default, and has no limit for what is in memory", async () => {
  const large = "x".repeat(1024 * 1024);
  await assertRejects(() => parse(foreignSource(large), (r) => r.line()), ParseError, "more than 1048576 bytes");
  assertEquals((await parse(foreignSource(large), (r) => r.line(), { maxSize: large.length + 1 }))?.length, 2 ** 20);
  assertEquals((await parse(large, (r) => r.line(), { maxSize: undefined }))?.length, 2 ** 20);
});

test("parse() throws every other error as it is", async () => {
  const error = new Error("Cannot read: the connection was reset");
  assertStrictEquals(await assertRejects(() => parse(foreignSource("a", error), pair)), error);
  const own = new ParseError("Cannot accept this", 7);
  assertStrictEquals(await assertRejects(() => parse("ab", () => Promise.reject(own))), own);
  await inCancelledScope(() => assertRejects(() => parse("ab", pair), Cancelled));
});

test("parse() waits for the end of an open flow, and can be cancelled", async () => {
  const [a, b] = pipe();
  await b.write(bytesOf("ab"));
  await cancelling(() => parse(a, pair), yieldNow);
  await b.close();
});

test("parse() refuses what it cannot parse with, or from", async () => {
  await assertRejects(() => parse("a", 1 as unknown as () => Promise<void>), TypeError, "1 is not a function");
  await assertRejects(() => parse(1 as unknown as Source, pair), TypeError, "must be a source");
  await assertRejects(() => parse("a", pair, { maxSize: 0 }), RangeError, "maxSize");
});

test("sequence() returns item after item up to the end", async () => {
  const reader = new BufReader(foreignSource("aab", "bccdd"), { maxSize: 8 });
  assertEquals(await Array.fromAsync(sequence(reader, pair)), ["aa", "bb", "cc", "dd"]);
});

test("sequence() throws at an item that is cut short, after the ones before", async () => {
  const items: string[] = [];
  const reader = BufReader.of("aabbccd");
  await assertRejects(async () => {
    for await (const item of sequence(reader, pair)) items.push(item);
  }, EndOfFlow);
  assertEquals([items, reader.consumed], [["aa", "bb", "cc"], 6]);
});

test("sequence() reads each item when it is asked for, and leaves the rest", async () => {
  const reader = BufReader.of("aabbcc");
  const items = sequence(reader, pair);
  assertEquals(reader.consumed, 0);
  for await (const item of items) {
    if (item === "bb") break;
  }
  assertEquals([reader.consumed, await reader.take(2)], [4, bytesOf("cc")]);
});

test("sequence() ends where stop says so", async () => {
  const reader = BufReader.of("aabb;rest");
  const stop = async (r: BufReader) => await r.peekByte() === 59;
  assertEquals(await Array.fromAsync(sequence(reader, pair, { stop })), ["aa", "bb"]);
  await reader.string(";rest");
});

test("sequence() gone through twice is a TypeError with both offsets", async () => {
  const items = sequence(BufReader.of("aabb"), pair);
  await Array.fromAsync(items);
  await assertRejects(
    () => Array.fromAsync(items),
    TypeError,
    "Cannot go through a sequence twice: it began at offset 0, and the reader is at offset 4",
  );
});

test("sequence() after the reader moved is a TypeError with both offsets", async () => {
  const reader = BufReader.of("aabbccdd");
  const items = sequence(reader, pair)[Symbol.asyncIterator]();
  await items.next();
  await reader.skip(1);
  await assertRejects(
    () => items.next(),
    TypeError,
    "Cannot go on with a sequence at offset 2: the reader is at offset 3",
  );
  assertEquals([reader.consumed, (await items.next()).done], [3, true]);
});

test("sequence() belongs to where the reader was when it was made", async () => {
  const reader = BufReader.of("aabb");
  const items = sequence(reader, pair);
  await reader.skip(2);
  await assertRejects(() => Array.fromAsync(items), TypeError, "at offset 0: the reader is at offset 2");
});

test("sequence() within an item of another one works", async () => {
  const item = async (r: BufReader) => {
    const count = await r.uint8();
    const end = r.consumed + count;
    return await Array.fromAsync(sequence(r, (r) => r.uint8(), { stop: (r) => Promise.resolve(r.consumed === end) }));
  };
  const reader = BufReader.of(Uint8Array.of(2, 1, 2, 0, 1, 9));
  assertEquals(await Array.fromAsync(sequence(reader, item)), [[1, 2], [], [9]]);
});

test("sequence() whose parser consumes nothing is a ParseError there, and not an endless loop", async () => {
  const reader = BufReader.of("12ab");
  const digit = (byte: number) => byte < 60;
  const items: number[] = [];
  const error = await assertRejects(
    async () => {
      for await (const item of sequence(reader, (r) => r.takeWhile(digit))) items.push(item.length);
    },
    ParseError,
    "Cannot read an item: the parser consumed nothing (at offset 2)",
  );
  assertEquals([error.offset, items, reader.consumed], [2, [2], 2]);
});

test("sequence() whose reader is busy is a BusyError", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(a, { maxSize: 8 });
  const items = sequence(reader, pair)[Symbol.asyncIterator]();
  const waiting = items.next();
  await assertRejects(() => sequence(reader, pair)[Symbol.asyncIterator]().next(), BusyError);
  await b.write(bytesOf("aa"));
  assertEquals((await waiting).value, "aa");
  await b.close();
});

test("sequence() refuses what is not a function at once", () => {
  const reader = BufReader.of("");
  assertThrows(() => sequence(reader, 1 as unknown as typeof pair), TypeError, "1 is not a function");
  assertThrows(() => sequence(reader, pair, { stop: 1 as never }), TypeError, "1 is not a function");
});
