// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertNotStrictEquals, assertRejects } from "@std/assert";
import { bufferSink, copy, copyString, nullFlow, readAll, stringSource } from "../../flow/mod.ts";
import { give, lend } from "../../flow/provider.ts";
import { Cancelled } from "../../switch/mod.ts";
import { bytesOf, inCancelledScope } from "../_helpers.ts";
import { test } from "../_test.ts";

test("bufferSink() keeps what is written, in order", async () => {
  const sink = bufferSink();
  assertEquals(await sink.write(bytesOf("foo")), 3);
  assertEquals(await sink[give]([bytesOf("ba"), new Uint8Array(0), bytesOf("r")]), 3);
  assertEquals([sink.text(), sink.bytes()], ["foobar", bytesOf("foobar")]);
});

test("bufferSink() copies what is written", async () => {
  const sink = bufferSink();
  for (const bytes of [bytesOf("a"), typeof Buffer === "undefined" ? bytesOf("a") : Buffer.from("a")]) {
    await sink.write(bytes);
    bytes.fill(0);
  }
  assertEquals(sink.text(), "aa");
});

test("bufferSink() takes what is given by reference", async () => {
  const sink = bufferSink();
  const bytes = bytesOf("a");
  await sink[give]([bytes]);
  bytes[0] = 98;
  assertEquals(sink.text(), "b");
});

test("bufferSink() gives a fresh copy each time", async () => {
  const sink = bufferSink();
  await copyString("a", sink);
  assertNotStrictEquals(sink.bytes().buffer, sink.bytes().buffer);
});

test("bufferSink() decodes across writes, keeps a byte order mark, and replaces invalid bytes", async () => {
  const sink = bufferSink();
  await sink.write(Uint8Array.of(0xef, 0xbb, 0xbf, 0xe2, 0x82));
  await sink.write(Uint8Array.of(0xac, 0xff));
  assertEquals(sink.text(), "\ufeff€\ufffd");
});

test("bufferSink() is empty at first, and after writing nothing", async () => {
  const sink = bufferSink();
  assertEquals([await sink.write(new Uint8Array(0)), await sink[give]([])], [0, 0]);
  assertEquals([sink.bytes().length, sink.text()], [0, ""]);
});

test("bufferSink() is refused in a cancelled scope, and takes nothing", async () => {
  const sink = bufferSink();
  await inCancelledScope(async () => {
    await assertRejects(() => sink.write(bytesOf("a")), Cancelled);
    await assertRejects(async () => await sink[give]([bytesOf("a")]), Cancelled);
  });
  assertEquals(sink.text(), "");
});

test("bufferSink() refuses what is not a Uint8Array", async () => {
  const sink = bufferSink();
  await assertRejects(() => sink.write("a" as unknown as Uint8Array), TypeError, "must be a Uint8Array");
  await assertRejects(
    async () => await sink[give]([bytesOf("a"), "b" as unknown as Uint8Array]),
    TypeError,
    "must be a Uint8Array",
  );
  assertEquals(sink.text(), "");
});

test("bufferSink() cannot be changed", () => {
  assert(Object.isFrozen(bufferSink()));
});

test("nullFlow has ended", async () => {
  assertEquals(await nullFlow.read(new Uint8Array(1)), null);
  assertEquals(await nullFlow[lend](() => 1), null);
  assertEquals(await readAll(nullFlow), new Uint8Array(0));
});

test("nullFlow takes everything", async () => {
  assertEquals(await nullFlow.write(bytesOf("foo")), 3);
  assertEquals(await nullFlow[give]([bytesOf("foo"), bytesOf("bar")]), 6);
  assertEquals(await copy(stringSource("foobar"), nullFlow), 6);
});

test("nullFlow demands a buffer as every source, and bytes as every sink", async () => {
  await assertRejects(() => nullFlow.read(new Uint8Array(0)), RangeError);
  await assertRejects(() => nullFlow.write("a" as unknown as Uint8Array), TypeError);
  await assertRejects(async () => await nullFlow[give](["a" as unknown as Uint8Array]), TypeError);
});

test("nullFlow is refused in a cancelled scope", async () => {
  await inCancelledScope(async () => {
    await assertRejects(() => nullFlow.read(new Uint8Array(1)), Cancelled);
    await assertRejects(() => nullFlow[lend](() => 1), Cancelled);
    await assertRejects(() => nullFlow.write(new Uint8Array(1)), Cancelled);
    await assertRejects(async () => await nullFlow[give]([]), Cancelled);
  });
});

test("nullFlow cannot be changed", () => {
  assert(Object.isFrozen(nullFlow));
});
