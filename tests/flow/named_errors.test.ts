// Copyright 2026 the Sluice authors. MIT license.

/** Errors name the flow, the problem and the remedy, and never quote peer data. */

import { assert, assertEquals, assertFalse, assertRejects, assertStringIncludes } from "@std/assert";
import {
  BufferLimitExceeded,
  BufReader,
  BusyError,
  ClosedError,
  copyString,
  parse,
  ParseError,
  pipe,
  readAll,
  type Sink,
  withBufWriter,
} from "../../flow/mod.ts";
import { give, lend } from "../../flow/provider.ts";
import { Stream } from "../../flow/_stream.ts";
import { noSource } from "../../flow/_half.ts";
import { tcp } from "../../net/mod.ts";
import { socketPair } from "../../net/testing/mod.ts";
import { all, Semaphore } from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { foreignSource } from "./_helpers.ts";

const peer = tcp("192.0.2.1", 1234);
const peerName = "tcp:192.0.2.1:1234";

test("BusyError of a second write names the flow and the remedy", async () => {
  const [a, b] = socketPair({ peer });
  await a.write(new Uint8Array(64 * 1024));
  const first = a.write(new Uint8Array(1));
  for (const write of [() => a.write(new Uint8Array(1)), () => copyString("text", a)]) {
    const error = await assertRejects(write, BusyError, "another write is under way");
    assertEquals([error.operation, error.flow], ["write", peerName]);
    assertStringIncludes(error.message, `on ${peerName}; wrap it in withBufWriter, or take turns with a Semaphore(1)`);
  }
  await readAll({ read: (buffer) => Promise.resolve(b.read(buffer)).then(() => null) });
  await first;
});

test("BusyError of a second read names the flow and the remedy", async () => {
  const [a] = socketPair({ peer });
  const reading = a.read(new Uint8Array(1));
  const error = await assertRejects(() => a.read(new Uint8Array(1)), BusyError, "another read is under way");
  assertEquals([error.operation, error.flow], ["read", peerName]);
  assertStringIncludes(error.message, `on ${peerName}; read it in one fiber`);
  await a.close();
  await assertRejects(() => reading, ClosedError);
});

test("BusyError names a pipe, by write(), [give](), [lend]() and through a BufReader", async () => {
  const [a, b] = pipe({ capacity: 1 });
  await a.write(new Uint8Array(1));
  const [c] = pipe();
  const reader = new BufReader(c);
  const pending = [a.write(new Uint8Array(1)), reader.line()];
  const calls: (() => Promise<unknown>)[] = [
    () => a.write(new Uint8Array(1)),
    async () => await a[give]([new Uint8Array(1)]),
    () => c[lend](() => 0),
    () => reader.line(),
    async () => await reader.consume(0),
  ];
  for (const call of calls) assertEquals((await assertRejects(call, BusyError, "on pipe; ")).flow, "pipe");
  await Promise.all([a.close(), b.close(), c.close()]);
  for (const operation of pending) await assertRejects(() => operation, ClosedError);
});

test("BusyError of a broadcast without turns has remedies that work", async () => {
  const lines = Array.from({ length: 20 }, (_, i) => `line ${i}\n`);
  const broadcast = async (send: (text: string) => Promise<void>) => await all(lines.map((line) => () => send(line)));

  const [slow] = pipe({ capacity: 4 });
  const naive = () => all(lines.slice(0, 2).map((line) => () => copyString(line, slow)));
  const error = await assertRejects(naive, BusyError);
  assertStringIncludes(error.message, "withBufWriter");

  const [a, b] = pipe({ capacity: 4 });
  const turns = new Semaphore(1);
  const inTurn = async (text: string) => {
    using _ = await turns.acquire();
    await copyString(text, a);
  };
  const [, got] = await all([async () => {
    await broadcast(inTurn);
    await a.close();
  }, () => readAll(b)]);
  assertEquals(new TextDecoder().decode(got), lines.join(""));

  const [c, d] = pipe({ capacity: 4 });
  const [, buffered] = await all([async () => {
    await withBufWriter(c, (w) => broadcast((text) => Promise.resolve(w.string(text))));
    await c.close();
  }, () => readAll(d)]);
  assertEquals(new TextDecoder().decode(buffered), lines.join(""));
});

test("ClosedError names the flow for each operation", async () => {
  const [a] = socketPair({ peer });
  await a.shutdown("send");
  const sent = await assertRejects(() => copyString("text", a), ClosedError, "sending was shut down by this side");
  assertEquals([sent.flow, sent.message.includes(`Cannot write to ${peerName}: `)], [peerName, true]);
  const waiting = assertRejects(
    () => a.read(new Uint8Array(1)),
    ClosedError,
    `Cannot read from ${peerName}: closed by`,
  );
  await a.close();
  assertEquals((await waiting).flow, peerName);
  await assertRejects(() => a.write(new Uint8Array(1)), ClosedError, `Cannot write to ${peerName}: closed by`);
});

test("Stream.close() shows its state and the flow in each ClosedError", async () => {
  const end = { ...noSource, peek: () => undefined, write: () => 0, give: () => 0, end: () => {}, flushed: true };
  const stream = new Stream(end, { label: peerName, failure: (_, cause) => cause });
  const waiting = [stream.read(new Uint8Array(1)), stream.write(new Uint8Array(1))];
  const cause = new Error("why");
  stream.close("its switch has ended", { cause });
  for (const operation of [...waiting, stream.read(new Uint8Array(1)), stream.give([new Uint8Array(1)])]) {
    const error = await assertRejects(async () => await operation, ClosedError, `${peerName}: its switch has ended`);
    assertEquals([error.flow, error.cause], [peerName, cause]);
  }
});

test("BufferLimitExceeded of a line says that it is one, and tells maxSize, the offset and the peer", async () => {
  const [a, b] = socketPair({ peer });
  await copyString("short\nSECRET-TOKEN-THAT-IS-LONG\n", b);
  const reader = new BufReader(a, { maxSize: 10 });
  const reads: (() => Promise<unknown>)[] = [
    () => reader.line(),
    () => reader.lines()[Symbol.asyncIterator]().next(),
    () => reader.lineBatches()[Symbol.asyncIterator]().next(),
  ];
  assertEquals(await reader.line(), "short");
  for (const read of reads) {
    const error = await assertRejects(read, BufferLimitExceeded);
    assertEquals([error.limit, error.offset, error.flow], [10, 6, peerName]);
    assertEquals(
      error.message,
      `Cannot buffer more than 10 bytes: a line from ${peerName} is longer than maxSize (at offset 6)`,
    );
    assertFalse(error.message.includes("SECRET"));
  }
});

test("BufferLimitExceeded of a foreign source has no name, and one from memory neither", async () => {
  const reader = new BufReader(foreignSource("x".repeat(100)), { maxSize: 10 });
  const error = await assertRejects(() => reader.line(), BufferLimitExceeded);
  assertEquals(error.flow, undefined);
  assertEquals(error.message, "Cannot buffer more than 10 bytes: a line is longer than maxSize (at offset 0)");
  const parsed = await assertRejects(() => parse("x".repeat(100), (r) => r.line(), { maxSize: 10 }), ParseError);
  assertEquals(parsed.message, error.message);
});

test("BufferLimitExceeded of what is not a line tells the offset and the peer", async () => {
  const [a, b] = socketPair({ peer });
  await copyString("x".repeat(100), b);
  const reader = new BufReader(a, { maxSize: 10 });
  await reader.skip(5);
  for (const read of [() => reader.take(11), () => reader.ensure(11), () => reader.takeWhile(() => true)]) {
    const error = await assertRejects(read, BufferLimitExceeded, `from ${peerName} (at offset 5)`);
    assertEquals([error.limit, error.offset], [10, 5]);
  }
  await assertRejects(() => readAll(a, { maxSize: 10 }), BufferLimitExceeded, `from ${peerName}`);
});

test("parse() says once at which offset a limit was reached, and which peer it was", async () => {
  const [a, b] = socketPair({ peer });
  await copyString("one\n" + "x".repeat(100), b);
  const parsing = () => parse(a, async (r) => [await r.line(), await r.line()], { maxSize: 10 });
  const error = await assertRejects(parsing, ParseError);
  assertEquals(error.message.match(/at offset 4/g)?.length, 1);
  assertStringIncludes(error.message, peerName);
});

test("asSource() passes the name of the flow on", async () => {
  const [a, b] = socketPair({ peer });
  await copyString("x".repeat(100), b);
  const source = new BufReader(a).asSource();
  await assertRejects(() => new BufReader(source, { maxSize: 10 }).line(), BufferLimitExceeded, peerName);
});

test("BufReader, BufWriter and friends cut what they show of a caller's text", async () => {
  const long = "x".repeat(1_000_000);
  const sink: Sink = { write: () => Promise.resolve(long as unknown as number) };
  const calls: (() => Promise<unknown>)[] = [
    () => BufReader.of("y").string(long),
    () => BufReader.of("y").string(long as unknown as string),
    () => BufReader.of("y").take(long as unknown as number),
    () => BufReader.of("y").byte(10n ** 10_000n as unknown as number),
    () => BufReader.of("y").takeWhile(long as unknown as () => boolean),
    () => parse("y", long as unknown as () => Promise<void>),
    () => copyString([long] as unknown as string, sink),
    () => copyString("y", sink),
    () => withBufWriter(sink, (w) => w.uint64be(10n ** 10_000n)),
    () => withBufWriter(sink, (w) => w.string([long] as unknown as string)),
    () => withBufWriter(sink, (w) => w.uint8(long as unknown as number)),
    () => pipe()[0].shutdown(long as "all"),
    async () => await pipe({ capacity: long as unknown as number }),
    () => readAll(pipe()[0], { maxSize: long as unknown as number }),
  ];
  for (const call of calls) {
    const { message } = await assertRejects(async () => await call(), Error);
    assert(message.length < 200, `${message.length} characters: ${message.slice(0, 200)}`);
  }
});

test("BufReader buffers at most 1 MiB by default", async () => {
  const size = 2 ** 20;
  const error = await assertRejects(() => new BufReader(foreignSource("x".repeat(size))).line(), BufferLimitExceeded);
  assertEquals(error.limit, size);
  assertEquals((await new BufReader(foreignSource("x".repeat(size - 1))).line())?.length, size - 1);
});
