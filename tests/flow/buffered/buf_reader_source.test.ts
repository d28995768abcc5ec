// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  BufferLimitExceeded,
  bufferSink,
  BufReader,
  BusyError,
  bytesSource,
  cancellableSource,
  copy,
  copyString,
  fromIterable,
  pipe,
  readable,
  type Source,
} from "../../../flow/mod.ts";
import { give, lend, type LendingSource } from "../../../flow/provider.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { yieldNow } from "../../../switch/mod.ts";
import { bytesOf, readText } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { foreignSource, shortSink } from "../_helpers.ts";

test("BufReader takes over what a pipe lends, without a copy", async () => {
  const [a, b] = pipe();
  const memory = pattern(0, 5000);
  await b[give]([memory]);
  const reader = new BufReader(a, { maxSize: 8192 });
  await reader.ensure(1);
  assertStrictEquals(reader.peek().buffer, memory.buffer);
  assertEquals(await reader.take(5000), pattern(0, 5000));
});

test("BufReader over a pipe pins no memory while it waits with nothing buffered", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(a, { maxSize: 65_536 });
  assertEquals(memoryOf(reader), 0);
  let waiting = reader.line();
  assertEquals(memoryOf(reader), 0);
  await b.write(bytesOf(`${"x".repeat(10_000)}\n`));
  await waiting;
  waiting = reader.line();
  await yieldNow();
  assertEquals(memoryOf(reader), 0);
  await b.close();
  await waiting;
});

test("BufReader over a pipe pins no more than it needs while it waits for the rest of a line", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(a, { maxSize: 65_536 });
  await b.write(bytesOf(`${"x".repeat(10_000)}\nhello`));
  await reader.line();
  const waiting = reader.line();
  await yieldNow();
  assertEquals(memoryOf(reader), 5);
  await b.close();
  assertEquals(await waiting, "hello");
});

test("BufReader spends at most maxSize bytes on a line without end", async () => {
  const endless = function* () {
    for (;;) yield new Uint8Array(700);
  };
  const [a, b] = pipe({ capacity: 700 });
  const feeding = copy(fromIterable(endless()), b).catch(() => {});
  const plain: Source = { read: (buffer) => Promise.resolve(Math.min(buffer.length, 700)) };
  for (const source of [a, fromIterable(endless()), cancellableSource(plain), plain]) {
    const reader = new BufReader(source, { maxSize: 10_000 });
    await assertRejects(() => reader.line(), BufferLimitExceeded);
    assertEquals(reader.buffered, 10_000);
    assert(memoryOf(reader) <= 10_000, `${memoryOf(reader)} bytes`);
  }
  await a.close();
  await feeding;
});

test("BufReader takes at most maxSize bytes of what is lent, and leaves the rest", async () => {
  for (const make of [(bytes: Uint8Array) => bytesSource(bytes), (bytes: Uint8Array) => givenPipe(bytes)]) {
    const source = make(pattern(0, 100));
    const reader = new BufReader(source, { maxSize: 10 });
    await reader.ensure(1);
    assertEquals(reader.buffered, 10);
    assertEquals(await new BufReader(source, { maxSize: 200 }).take(90), pattern(10, 90));
  }
});

test("BufReader never writes to memory that it took over or was given", async () => {
  const pieces = Array.from({ length: 20 }, (_, i) => pattern(i * 50, 50));
  for (const source of [await givenPipe(...pieces), bytesSource(...pieces)]) {
    const reader = new BufReader(source, { maxSize: 200 });
    for (let at = 0; at < 1000; at += 40) assertEquals(await reader.take(40), pattern(at, 40));
  }
  pieces.forEach((piece, i) => assertEquals(piece, pattern(i * 50, 50)));
});

test("BufReader of a lender that lends no bytes is a TypeError, not an endless loop", async () => {
  const source = {
    read: () => Promise.resolve(null),
    [lend]: async (use: (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => unknown) =>
      await use(new Uint8Array(0), false) as number,
  };
  await assertRejects(() => new BufReader(source, { maxSize: 8 }).line(), TypeError, "the source lent no bytes");
});

test("BufReader.asSource() returns what is buffered first, and then what the source gives", async () => {
  for (const make of [() => foreignSource("ab\ncd", "ef"), () => fromIterable([bytesOf("ab\ncd"), bytesOf("ef")])]) {
    const reader = new BufReader(make(), { maxSize: 100 });
    await reader.line();
    const source = reader.asSource();
    const buffer = new Uint8Array(10);
    assertEquals([await source.read(buffer.subarray(0, 1)), buffer[0], reader.consumed], [1, 99, 4]);
    assertEquals([await source.read(buffer), buffer[0], reader.consumed], [1, 100, 5]);
    assertEquals([await source.read(buffer), buffer.subarray(0, 2), reader.consumed], [2, bytesOf("ef"), 7]);
    assertEquals([await source.read(buffer), await source.read(buffer), reader.eofSeen], [null, null, true]);
  }
});

test("BufReader.asSource() past the buffer is not limited by maxSize, and buffers nothing", async () => {
  const reader = new BufReader(bytesSource(pattern(0, 100)), { maxSize: 4 });
  const buffer = new Uint8Array(60);
  assertEquals([await reader.asSource().read(buffer), buffer], [60, pattern(0, 60)]);
  assertEquals([reader.buffered, reader.consumed, await reader.take(4)], [0, 60, pattern(60, 4)]);
});

test("BufReader.asSource() lends the buffer of the reader itself", async () => {
  const reader = new BufReader(foreignSource("hello"), { maxSize: 100 });
  await reader.ensure(1);
  const memory = reader.peek().buffer;
  await reader.asSource()[lend]((bytes, keep) => {
    assertStrictEquals(bytes.buffer, memory);
    assertEquals(keep, false);
    return 2;
  });
  assertEquals([reader.consumed, await reader.takeAll()], [2, bytesOf("llo")]);
});

test("BufReader.asSource() lends by the reader's buffer where the source does not lend", async () => {
  const reader = new BufReader(foreignSource("hello"), { maxSize: 100 });
  assertEquals(await reader.asSource()[lend]((bytes) => bytes.length), 5);
  assertEquals(await reader.asSource()[lend](() => 0), null);
  assertEquals(reader.consumed, 5);
});

test("BufReader.asSource() says which memory may be kept", async () => {
  const keeps = async (source: LendingSource) => {
    let kept: boolean | undefined;
    await source[lend]((_, keep) => (kept = keep, 0));
    return kept;
  };
  const taken = new BufReader(await givenPipe(pattern(0, 2000)), { maxSize: 4000 });
  assertEquals(await keeps(taken.asSource()), true);
  await taken.ensure(1);
  assertEquals(await keeps(taken.asSource()), true);
  assertEquals(await keeps(new BufReader(bytesSource(pattern(0, 9)), { maxSize: 10 }).asSource()), false);
  assertEquals([await keeps(BufReader.of("a").asSource()), await keeps(BufReader.of(bytesOf("a")).asSource())], [
    true,
    false,
  ]);
});

test("BufReader.asSource() passes loans through from its source, counted", async () => {
  const memory = pattern(0, 2000);
  const reader = new BufReader(await givenPipe(memory), { maxSize: 10 });
  assertEquals(await reader.asSource()[lend]((bytes) => (assert(bytes.buffer === memory.buffer), 1500)), 1500);
  assertEquals([reader.consumed, await reader.take(10)], [1500, pattern(1500, 10)]);
});

test("BufReader.asSource() that lends refuses other operations until the borrower is done", async () => {
  const reader = BufReader.of("abc\n");
  await reader.asSource()[lend](async (bytes) => {
    await assertRejects(() => reader.anyByte(), BusyError);
    await assertRejects(() => reader.asSource().read(new Uint8Array(1)), BusyError);
    await assertRejects(() => reader.asSource()[lend](() => 0), BusyError);
    return bytes.length - 2;
  });
  assertEquals(await reader.line(), "c");
});

test("BufReader.asSource() loses nothing to a borrower that fails, or takes what is not there", async () => {
  const error = new Error("Cannot borrow");
  for (const make of [() => BufReader.of("abc"), () => new BufReader(bytesSource(bytesOf("abc")), { maxSize: 9 })]) {
    const reader = make();
    const source = reader.asSource();
    assertStrictEquals(await assertRejects(() => source[lend](() => Promise.reject(error))), error);
    for (const bad of [4, -1, 1.5, undefined as unknown as number]) {
      await assertRejects(() => source[lend](() => bad), RangeError, `the borrower took ${bad} of 3 bytes`);
    }
    assertEquals([reader.consumed, await reader.takeAll()], [0, bytesOf("abc")]);
  }
});

test("BufReader.asSource() refuses what cannot be read into", async () => {
  const source = BufReader.of("abc").asSource();
  await assertRejects(() => source.read(new Uint8Array(0)), RangeError);
  await assertRejects(() => source.read("x" as unknown as Uint8Array), TypeError);
});

test("BufReader.asSource() can be copied from, and keeps what the sink does not take", async () => {
  const reader = new BufReader(foreignSource("head\nbo", "dy"), { maxSize: 100 });
  await reader.line();
  await assertRejects(() => copy(reader.asSource(), shortSink([1], new Error("Cannot write"))));
  const sink = bufferSink();
  assertEquals([await copy(reader.asSource(), sink), sink.text(), reader.consumed], [3, "ody", 9]);
});

test("BufReader.asSource() and the reader take turns", async () => {
  const [a, b] = pipe();
  const reader = new BufReader(a, { maxSize: 100 });
  await copyString("one\ntwo\nthree\n", b);
  await b.shutdown("send");
  assertEquals(await reader.line(), "one");
  await readable(reader.asSource());
  assertEquals(await reader.line(), "two");
  assertEquals(await readText(reader.asSource()), "three\n");
  assertEquals([await reader.line(), reader.consumed], [null, 14]);
});

/** Returns how much memory the reader retains. */
function memoryOf(reader: BufReader): number {
  return reader.peek().buffer.byteLength;
}

/** The end of a pipe that lends exactly the given memory. */
function givenPipe(...pieces: Uint8Array[]): LendingSource {
  const [a, b] = pipe();
  for (const piece of pieces) b[give]([piece]);
  b.shutdown("send");
  return a;
}

test("BufReader.asSource() reads through the buffer: small reads of it are not small reads of the source", async () => {
  const source = foreignSource("x".repeat(1000));
  const small = new BufReader(source, { maxSize: 4096, initialSize: 256 }).asSource();
  for (let i = 0; i < 256; i++) assertEquals(await small.read(new Uint8Array(1)), 1);
  assertEquals(source.reads, 1);
});

test("BufReader.asSource() reads straight into a buffer that is as large as its own, when nothing is buffered", async () => {
  const asked: number[] = [];
  const source: Source = { read: (buffer) => Promise.resolve(asked.push(buffer.length) && 5) };
  const reader = new BufReader(source, { initialSize: 64 });
  const asSource = reader.asSource();
  assertEquals(await asSource.read(new Uint8Array(64)), 5);
  assertEquals(await asSource.read(new Uint8Array(63)), 5); // through the buffer
  assertEquals(await asSource.read(new Uint8Array(3)), 3); // its first three bytes
  assertEquals(await asSource.read(new Uint8Array(100)), 2); // and the rest of them
  assertEquals(asked, [64, 64, 64]);
  assertEquals(reader.consumed, 5 + 5 + 3 + 2);
});
