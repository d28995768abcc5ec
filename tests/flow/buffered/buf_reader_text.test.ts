// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { BufferLimitExceeded, BufReader, BufWriter, EndOfFlow, ParseError, pipe } from "../../../flow/mod.ts";
import { yieldNow } from "../../../switch/mod.ts";
import { bytesOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { foreignSource } from "../_helpers.ts";

const isLetter = (byte: number) => byte >= 97 && byte <= 122;

test("BufReader.line() takes CR LF for one end, though it comes in two reads", async () => {
  const reader = new BufReader(foreignSource("one\r", "\ntwo\r\n"), { maxSize: 10 });
  assertEquals(await linesOf(reader), ["one", "two"]);
});

test("BufReader.line() returns the last line without an end, and then null", async () => {
  const reader = new BufReader(foreignSource("one\ntwo"), { maxSize: 10 });
  assertEquals([await reader.line(), await reader.line(), await reader.line()], ["one", "two", null]);
});

test("BufReader.line() takes a lone CR for a part of the line", async () => {
  assertEquals(await linesOf(BufReader.of("a\rb\nfoo\r")), ["a\rb", "foo\r"]);
  assertEquals(await linesOf(BufReader.of("\r\r\n\r")), ["\r", "\r"]);
});

test("BufReader.line() returns empty lines", async () => {
  assertEquals(await linesOf(BufReader.of("\n\r\n\na\n\n")), ["", "", "", "a", ""]);
});

test("BufReader.line() longer than maxSize is a BufferLimitExceeded at its beginning, and nothing is consumed", async () => {
  const reader = new BufReader(foreignSource("abc", "def\n"), { maxSize: 2 });
  await assertRejects(() => reader.line(), BufferLimitExceeded, "Cannot buffer more than 2 bytes");
  assertEquals([reader.consumed, await reader.take(2)], [0, bytesOf("ab")]);
});

test("BufReader.line() has room for a line and its end in maxSize bytes", async () => {
  const reader = new BufReader(foreignSource("abc\nabcd\n"), { maxSize: 4 });
  assertEquals(await reader.line(), "abc");
  await assertRejects(() => reader.line(), BufferLimitExceeded);
});

test("BufReader.line() decodes UTF-8 across reads, whatever it is cut into", async () => {
  const text = "grüße, 日本, 🦆\r\nzweite Zeile\n";
  const bytes = bytesOf(text);
  for (let size = 1; size <= 5; size++) {
    const pieces = Array.from(
      { length: Math.ceil(bytes.length / size) },
      (_, i) => bytes.slice(i * size, i * size + size),
    );
    const reader = new BufReader(foreignSource(...pieces), { maxSize: 100 });
    assertEquals(await linesOf(reader), ["grüße, 日本, 🦆", "zweite Zeile"]);
  }
});

test("BufReader.line() returns U+FFFD for invalid bytes, and keeps the lines apart", async () => {
  const bytes = Uint8Array.of(0xff, 10, 0xe2, 0x82, 10, 0xc3, 13, 10, 97, 0xf0, 0x9f, 10, 98, 10);
  for (const source of [foreignSource(bytes), foreignSource(...Array.from(bytes, (byte) => Uint8Array.of(byte)))]) {
    const reader = new BufReader(source, { maxSize: 100 });
    assertEquals(await linesOf(reader), ["\ufffd", "\ufffd", "\ufffd", "a\ufffd", "b"]);
  }
});

test("BufReader.line() keeps a byte order mark", async () => {
  assertEquals(await linesOf(BufReader.of("\ufeffa\n\ufeffb\n\ufeff")), ["\ufeffa", "\ufeffb", "\ufeff"]);
});

test("BufReader.line() mixed with other operations goes on where they ended", async () => {
  const text = Array.from({ length: 200 }, (_, i) => `zeile ${i} ä\r\n`).join("");
  const reader = BufReader.of(text);
  let seen = "";
  for (let i = 0; !await reader.atEnd(); i++) {
    if (i % 3 === 0) seen += new TextDecoder().decode(await reader.take(2));
    else seen += `${await reader.line()}\r\n`;
    if (i % 7 === 0) seen += new TextDecoder().decode(Uint8Array.of(await reader.anyByte()));
  }
  assertEquals([seen, reader.consumed], [text, bytesOf(text).length]);
});

test("BufReader.line() consumes exactly its line, however many were decoded ahead", async () => {
  const reader = BufReader.of("é\n".repeat(500));
  for (let i = 1; i <= 500; i++) {
    await reader.line();
    assertEquals([reader.consumed, reader.buffered], [3 * i, 3 * (500 - i)]);
  }
});

test("BufReader.line() of one line after many short ones is complete", async () => {
  const long = "x".repeat(20_000);
  const reader = BufReader.of(`${"a\n".repeat(3000)}${long}\nb\n`);
  const lines = await linesOf(reader);
  assertEquals([lines.length, lines[3000] === long, lines[3001]], [3002, true, "b"]);
});

test("BufReader.lines() reads nothing ahead, and leaves the rest when the loop is left", async () => {
  const source = foreignSource("one\n", "two\nthree\n", "four");
  const reader = new BufReader(source, { maxSize: 100 });
  for await (const line of reader.lines()) {
    if (line === "two") break;
  }
  assertEquals([source.reads, reader.consumed, await linesOf(reader)], [2, 8, ["three", "four"]]);
});

test("BufReader.lines() throws what line() throws, and ends for good", async () => {
  const reader = new BufReader(foreignSource("a\nbbbbbb\n"), { maxSize: 4 });
  const iterator = reader.lines()[Symbol.asyncIterator]();
  assertEquals(await iterator.next(), { done: false, value: "a" });
  await assertRejects(() => iterator.next(), BufferLimitExceeded);
  await reader.skip(7);
  assertEquals([(await iterator.next()).done, (await iterator.next()).done], [true, true]);
});

test("BufReader.lineBatches() returns the lines that have arrived together, and reads nothing ahead", async () => {
  const source = foreignSource("one\ntwo\r\nth", "ree\n", "\nfour");
  const reader = new BufReader(source, { maxSize: 100 });
  const seen: unknown[] = [];
  for await (const lines of reader.lineBatches()) seen.push([lines, source.reads, reader.consumed, reader.buffered]);
  assertEquals(seen, [
    [["one", "two"], 1, 9, 2],
    [["three"], 2, 15, 0],
    [[""], 3, 16, 4],
    [["four"], 4, 20, 0],
  ]);
});

test("BufReader.lineBatches() leaves the rest to other operations when the loop is left", async () => {
  const reader = new BufReader(foreignSource("head\nsize 3", "\nabc", "d"), { maxSize: 100 });
  assertEquals(await reader.line(), "head");
  for await (const lines of reader.lineBatches()) {
    assertEquals(lines, ["size 3"]);
    break;
  }
  assertEquals([await reader.take(3), await reader.line(), await reader.line()], [bytesOf("abc"), "d", null]);
});

test("BufReader.lineBatches() goes on after line(), which has decoded ahead", async () => {
  const reader = BufReader.of("é\n".repeat(500));
  for (let i = 0; i < 10; i++) await reader.line();
  let count = 10;
  for await (const lines of reader.lineBatches()) count += lines.length;
  assertEquals([count, reader.consumed], [500, 1500]);
});

test("BufReader.lineBatches() returns at most 64 KiB at once, and a longer line alone", async () => {
  const long = "x".repeat(100_000);
  const reader = BufReader.of(`${"abcdefg\n".repeat(20_000)}${long}\n${"b\n".repeat(3)}`);
  const batches = await Array.fromAsync(reader.lineBatches());
  assertEquals(batches.map((lines) => lines.length), [8192, 8192, 3616, 1, 3]);
  assertEquals(batches[3][0] === long, true);
});

test("BufReader.lineBatches() throws at a line that is too long, after the lines before it", async () => {
  const reader = new BufReader(foreignSource("a\nb\nccccccc\n"), { maxSize: 6 });
  const iterator = reader.lineBatches()[Symbol.asyncIterator]();
  assertEquals(await iterator.next(), { done: false, value: ["a", "b"] });
  await assertRejects(() => iterator.next(), BufferLimitExceeded);
  assertEquals(reader.consumed, 4);
  await reader.skip(8);
  assertEquals([(await iterator.next()).done, (await iterator.next()).done], [true, true]);
});

test("BufReader.lineBatches() decodes each line as if it were alone", async () => {
  const bytes = Uint8Array.of(0xff, 10, 0xe2, 0x82, 10, 0xc3, 13, 10, 97, 0xf0, 0x9f, 13, 13, 10, 13, 98, 10, 13, 10);
  const batches = await Array.fromAsync(BufReader.of(bytes).lineBatches());
  assertEquals(batches, [["\ufffd", "\ufffd", "\ufffd", "a\ufffd\r", "\rb", ""]]);
});

test("BufReader.byte() names what is there instead, and consumes nothing", async () => {
  const reader = BufReader.of("ba");
  await reader.skip(1);
  const error = await assertRejects(() => reader.byte(65), ParseError);
  assertEquals([error.message, error.offset], ['Cannot read byte 65 ("A"): got 97 ("a") (at offset 1)', 1]);
  await reader.byte(97);
  await assertRejects(() => reader.byte(97), EndOfFlow);
});

test("BufReader.string() names what is there instead, and consumes nothing", async () => {
  const reader = BufReader.of("foo fox");
  await reader.string("foo ");
  const error = await assertRejects(() => reader.string("foo"), ParseError);
  assertEquals([error.message, error.offset], ['Cannot read "foo": got "fox" (at offset 4)', 4]);
  await reader.string("fox");
});

test("BufReader.string() sees a mismatch at the first byte that differs, and waits for no more", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(a, { maxSize: 100 });
  await b.write(bytesOf("HX"));
  await assertRejects(() => reader.string("HTTP/1.1"), ParseError, 'got "HX"');
  await reader.string("HX");
  await b.close();
});

test("BufReader.string() matches across reads, as UTF-8", async () => {
  const [first, second, third] = [bytesOf("grü").slice(0, 3), bytesOf("ü").slice(1), bytesOf("ße")];
  const reader = new BufReader(foreignSource(first, second, third), { maxSize: 8 });
  await reader.string("grüße");
  assertEquals(reader.consumed, 7);
});

test("BufReader.string() at an early end is an EndOfFlow, and consumes nothing", async () => {
  const reader = new BufReader(foreignSource("fo"), { maxSize: 8 });
  await assertRejects(() => reader.string("foo"), EndOfFlow, 'Cannot read "foo": the flow ended after 2');
  assertEquals(await reader.takeAll(), bytesOf("fo"));
});

test("BufReader.string() longer than maxSize fails as early as it can be told", async () => {
  const reader = new BufReader(foreignSource("abcdef"), { maxSize: 3 });
  await assertRejects(() => reader.string("abX456"), ParseError, 'got "abc"');
  await assertRejects(() => reader.string("abcdef"), BufferLimitExceeded);
  assertEquals(reader.consumed, 0);
});

test("BufReader.peekByte() consumes nothing, and is null at the end", async () => {
  const reader = new BufReader(foreignSource("a"), { maxSize: 8 });
  assertEquals([await reader.peekByte(), await reader.peekByte(), await reader.anyByte()], [97, 97, 97]);
  assertEquals(await reader.peekByte(), null);
  await assertRejects(() => reader.anyByte(), EndOfFlow, "Cannot read 1 bytes: the flow ended after 0");
});

test("BufReader.takeWhile() goes over reads, and leaves the first byte that does not match", async () => {
  const reader = new BufReader(foreignSource("ab", "cd", "e1f"), { maxSize: 8 });
  assertEquals(await reader.takeWhile(isLetter), bytesOf("abcde"));
  assertEquals(await reader.takeWhile(isLetter), bytesOf(""));
  assertEquals(await reader.anyByte(), 49);
  assertEquals(await reader.takeWhile(isLetter), bytesOf("f"));
  assertEquals(await reader.takeWhile(isLetter), bytesOf(""));
});

test("BufReader.takeWhile() over maxSize bytes is a BufferLimitExceeded, and takes nothing", async () => {
  const reader = new BufReader(foreignSource("abcdef"), { maxSize: 4 });
  await assertRejects(() => reader.takeWhile(isLetter), BufferLimitExceeded);
  await assertRejects(() => reader.takeWhile1(isLetter), BufferLimitExceeded);
  assertEquals(reader.consumed, 0);
});

test("BufReader.skipWhile() and skipWhile1() drop more than maxSize bytes, and say how many", async () => {
  const reader = new BufReader(foreignSource("abcdef", "ghi1", "abcdef", "ghi1"), { maxSize: 4 });
  assertEquals(await reader.skipWhile(isLetter), 9);
  await reader.byte(49);
  assertEquals(await reader.skipWhile1(isLetter), 9);
  assertEquals([await reader.skipWhile(isLetter), reader.consumed], [0, 19]);
});

test("BufReader.takeWhile1() and skipWhile1() of nothing are a ParseError with their name", async () => {
  const reader = BufReader.of("a1");
  await reader.anyByte();
  for (const name of ["takeWhile1", "skipWhile1"] as const) {
    const error = await assertRejects(() => reader[name](isLetter) as Promise<unknown>, ParseError);
    assertEquals(error.message, `Cannot ${name} at least one byte: got 49 ("1") (at offset 1)`);
  }
  await reader.byte(49);
  for (const name of ["takeWhile1", "skipWhile1"] as const) {
    const reading = () => reader[name](isLetter) as Promise<unknown>;
    await assertRejects(reading, ParseError, "got the end (at offset 2)");
  }
});

test("BufReader asks a test once for each byte, in order", async () => {
  const asked: number[] = [];
  const note = (byte: number) => asked.push(byte) > 0 && byte !== 52;
  await new BufReader(foreignSource("1", "2", "34"), { maxSize: 8 }).takeWhile(note);
  await new BufReader(foreignSource("1", "2", "34"), { maxSize: 8 }).skipWhile(note);
  assertEquals(String.fromCharCode(...asked), "12341234");
});

test("BufReader throws what a test throws, and consumes nothing of that read", async () => {
  const error = new Error("Cannot judge");
  const reader = BufReader.of("ab");
  const judge = () => {
    throw error;
  };
  for (const name of ["takeWhile", "takeWhile1", "skipWhile", "skipWhile1"] as const) {
    assertStrictEquals(await assertRejects(() => reader[name](judge) as Promise<unknown>), error);
  }
  assertEquals(reader.consumed, 0);
});

test("BufReader refuses an operation from within a test", async () => {
  const reader = BufReader.of("ab");
  let inner: Promise<unknown> | undefined;
  await reader.takeWhile(() => (inner = reader.anyByte().catch((error) => error), true));
  assertEquals(String(await inner), "BusyError: Cannot read: another read is under way");
});

test("BufReader.endOfInput() with a byte left is a ParseError", async () => {
  const reader = BufReader.of("a\n");
  await assertRejects(() => reader.endOfInput(), ParseError, 'Cannot end the input here: got 97 ("a") (at offset 0)');
  await reader.skip(1);
  await assertRejects(() => reader.endOfInput(), ParseError, "got 10 (at offset 1)");
  await reader.skip(1);
  await reader.endOfInput();
});

test("BufReader reads every width and order of numbers", async () => {
  const bytes = Uint8Array.of(0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8);
  const of = () => BufReader.of(bytes);
  assertEquals(await of().uint8(), 0xf1);
  assertEquals([await of().uint16be(), await of().uint16le()], [0xf1f2, 0xf2f1]);
  assertEquals([await of().uint32be(), await of().uint32le()], [0xf1f2f3f4, 0xf4f3f2f1]);
  assertEquals([await of().uint48be(), await of().uint48le()], [0xf1f2f3f4f5f6, 0xf6f5f4f3f2f1]);
  assertEquals([await of().uint64be(), await of().uint64le()], [0xf1f2f3f4f5f6f7f8n, 0xf8f7f6f5f4f3f2f1n]);
  const third = Uint8Array.of(0x3f, 0xd5, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55);
  assertEquals([await BufReader.of(third).float64be(), await BufReader.of(third.toReversed()).float64le()], [
    1 / 3,
    1 / 3,
  ]);
  const half = Uint8Array.of(0xbf, 0, 0, 0);
  assertEquals([await BufReader.of(half).float32be(), await BufReader.of(half.toReversed()).float32le()], [-0.5, -0.5]);
});

test("BufReader reads a number that comes in several reads, and at an early end takes nothing", async () => {
  const reader = new BufReader(foreignSource(Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3, 4, 5)), {
    maxSize: 8,
  });
  assertEquals(await reader.uint32be(), 0x01020304);
  await assertRejects(() => reader.uint16be(), EndOfFlow, "Cannot read 2 bytes: the flow ended after 1");
  assertEquals(await reader.uint8(), 5);
});

test("BufReader gives back every number that BufWriter writes, at any alignment", async () => {
  const writer = new BufWriter({ initialSize: 7 });
  writer.byte(1);
  writer.uint16be(0xffff);
  writer.uint48le(2 ** 48 - 1);
  writer.float64be(-0);
  writer.close();
  const batch = await writer.awaitBatch() ?? [];
  const reader = new BufReader(foreignSource(...batch), { maxSize: 16 });
  assertEquals([await reader.uint8(), await reader.uint16be(), await reader.uint48le()], [1, 0xffff, 2 ** 48 - 1]);
  assertEquals(Object.is(await reader.float64be(), -0), true);
});

test("BufReader settles at once with what is buffered, in the order of the calls", async () => {
  const order: string[] = [];
  const reader = BufReader.of("a\nbc");
  const line = reader.line().then(() => order.push("line"));
  const byte = reader.anyByte().then(() => order.push("byte"));
  const rest = reader.takeAll().then(() => order.push("rest"));
  await Promise.all([line, byte, rest, yieldNow()]);
  assertEquals(order, ["line", "byte", "rest"]);
});

async function linesOf(reader: BufReader): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of reader.lines()) lines.push(line);
  return lines;
}
