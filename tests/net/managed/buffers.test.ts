// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertThrows } from "@std/assert";
import { copyString, nullFlow, Switch, writeAll } from "../../../mod.ts";
import { managedOf } from "../../../net/managed/mod.ts";
import { mockClock } from "../../../net/testing/mod.ts";
import { bytesOf, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { connecting, managed, readSome, settle } from "./_managed.ts";

test("receive() takes exactly what is asked for, or nothing", () =>
  managed({}, async ({ c, peer }) => {
    assertEquals(c.receive(1), null);
    await copyString("hello", peer);
    await settle();
    assertEquals(c.receive(6), null);
    assertEquals(textOf(c.receive(2) as Uint8Array), "he");
    assertEquals(textOf(c.receive(3) as Uint8Array), "llo");
    assertEquals([c.receive(0)?.length, c.receive(1)], [0, null]);
  }));

test("receivePart() takes up to what is asked for", () =>
  managed({}, async ({ c, peer }) => {
    assertEquals(c.receivePart(5).length, 0);
    await copyString("hello", peer);
    await settle();
    assertEquals([textOf(c.receivePart(2)), textOf(c.receivePart(100_000))], ["he", "llo"]);
  }));

test("receiveAll() takes everything", () =>
  managed({}, async ({ c, peer }) => {
    await copyString("hello", peer);
    await settle();
    assertEquals([textOf(c.receiveAll()), c.receiveAll().length], ["hello", 0]);
  }));

test("forget() drops exactly what is asked for, or nothing", () =>
  managed({}, async ({ c, peer }) => {
    await copyString("hello", peer);
    await settle();
    assertEquals([c.forget(6), c.bufferLength, c.forget(4), textOf(c.receiveAll())], [false, 5, true, "o"]);
  }));

test("poll() looks at exactly what is asked for, which stays", () =>
  managed({}, async ({ c, peer }) => {
    await copyString("hello", peer);
    await settle();
    assertEquals([textOf(c.poll(1, 3) as Uint8Array), c.poll(3, 3), c.poll(6, 0)], ["ell", null, null]);
    assertEquals([c.poll(5, 0)?.length, c.bufferLength], [0, 5]);
  }));

test("pollPart() looks at up to what is asked for, which stays", () =>
  managed({}, async ({ c, peer }) => {
    await copyString("hello", peer);
    await settle();
    assertEquals([textOf(c.pollPart(3, 9)), c.pollPart(9, 9).length, textOf(c.pollPart(0, 2))], ["lo", 0, "he"]);
    assertEquals([c.bufferLength, c.bufferEmpty], [5, false]);
  }));

test("receive() and the like refuse what can never be there", () =>
  managed({ maxReceiveBuffer: 10 }, ({ c }) => {
    for (const size of [11, -1, 1.5, NaN, Infinity, "1" as never]) {
      for (const ask of [() => c.receive(size), () => c.forget(size), () => c.poll(0, size)]) {
        assertThrows(ask, RangeError, "Cannot ");
      }
    }
    assertThrows(() => c.poll(5, 6), RangeError, "from 0 to 10");
    for (const size of [-1, 1.5, NaN, Infinity]) {
      for (const ask of [() => c.receivePart(size), () => c.pollPart(size, 1), () => c.pollPart(0, size)]) {
        assertThrows(ask, RangeError, "Cannot ");
      }
    }
    assertEquals([c.receive(10), c.poll(4, 6)], [null, null]);
  }));

test("what receive() returns is the caller's", () =>
  managed({}, async ({ c, peer }) => {
    await copyString("abab", peer);
    await settle();
    c.poll(0, 4)?.fill(0);
    const bytes = c.receive(2) as Uint8Array;
    bytes.fill(0);
    assertEquals(textOf(c.receiveAll()), "ab");
  }));

test("send() queues in the order of its calls, bytes and texts", () =>
  managed({}, async ({ c, peer }) => {
    assertEquals([c.send("é"), c.send(bytesOf("bc")), c.send("")], [true, true, true]);
    assertEquals(await readSome(peer), "ébc");
  }));

test("send() copies, so that the caller may change its bytes", () =>
  managed({}, async ({ c, peer }) => {
    const bytes = bytesOf("hello");
    c.send(bytes);
    bytes.fill(0);
    assertEquals(await readSome(peer), "hello");
  }));

test("send() while connecting is sent later", () =>
  connecting({}, async ({ c, peer, opening, near }) => {
    assertEquals(c.send("hello"), true);
    opening.resolve(near);
    assertEquals(await readSome(peer), "hello");
  }));

test("send() over maxSendBuffer queues nothing", () =>
  connecting({ maxSendBuffer: 5 }, async ({ c, peer, opening, near }) => {
    assertEquals([c.send("abc"), c.send("def"), c.send("de")], [true, false, true]);
    opening.resolve(near);
    assertEquals(await readSome(peer), "abcde");
    await c.flushed();
    assertEquals(c.send("fghij"), true);
  }));

test("send() counts for maxSendBuffer what the sink has not taken", () =>
  Switch.run((sw) => {
    const sink = { write: () => new Promise<number>(() => {}) };
    const c = managedOf(sw, { sink }, { clock: mockClock(), data: 0, maxSendBuffer: 5 });
    assertEquals(c.send("abc"), true);
    return settle().then(() => assertEquals([c.send("def"), c.send("de")], [false, true]));
  }));

test("send() without a sink is false", () =>
  Switch.run((sw) => {
    const c = managedOf(sw, { source: nullFlow }, { clock: mockClock(), data: 0 });
    assertEquals(c.send("x"), false);
  }));

test("send() refuses what is neither bytes nor text", () =>
  managed({}, ({ c }) => {
    for (const wrong of [1, null, [1], undefined]) assertThrows(() => c.send(wrong as never), TypeError, "Cannot send");
  }));

test("send() joins small messages into few writes", () =>
  Switch.run(async (sw) => {
    const sizes: number[] = [];
    const sink = { write: (bytes: Uint8Array) => Promise.resolve(sizes.push(bytes.length) && bytes.length) };
    const c = managedOf(sw, { sink }, { clock: mockClock(), data: 0 });
    for (let i = 0; i < 100_000; i++) c.send("0123456789");
    await c.flushed();
    assertEquals(sizes.reduce((sum, size) => sum + size), 1_000_000);
    assertEquals(sizes.length < 40, true, `${sizes.length} writes`);
  }));

test("a full receive buffer stops reading, and taking from it resumes", () =>
  managed({ maxReceiveBuffer: 1000 }, async ({ c, peer }) => {
    const size = 200_000;
    const writing = writeAll(peer, new Uint8Array(size)).then(() => peer.close());
    await settle();
    assertEquals([c.bufferLength, c.alive], [1000, true]);
    assertEquals(c.forget(400), true);
    await settle();
    assertEquals(c.bufferLength, 1000);
    let received = 400;
    while (c.alive || !c.bufferEmpty) {
      received += c.receiveAll().length;
      if (c.bufferEmpty) await c.changed();
    }
    await writing;
    assertEquals(received, size);
  }));

test("receive() of many small pieces of a big buffer takes time in proportion", () =>
  managed({ maxReceiveBuffer: Infinity }, async ({ c, peer }) => {
    const size = 2_000_000;
    await writeAll(peer, new Uint8Array(size));
    await settle();
    const started = performance.now();
    let pieces = 0;
    while (c.receive(8) !== null) pieces++;
    assertEquals(pieces, size / 8);
    // Copying the rest for each piece would move 250 GB.
    assertEquals(performance.now() - started < 10_000, true);
  }));

test("data, timeout and peer are those that it was made with", () =>
  managed({ timeout: 5 }, ({ c, peer }) => {
    assertEquals([c.data, c.timeout, c.peer], ["data", 5, peer.local]);
  }));

test("managedOf() refuses wrong options", () =>
  Switch.run((sw) => {
    const clock = mockClock();
    const make = (options: object) => () => managedOf(sw, { sink: nullFlow }, { clock, data: 0, ...options });
    for (const options of [{ timeout: -1 }, { timeout: NaN }, { maxReceiveBuffer: 0 }, { maxSendBuffer: 1.5 }]) {
      assertThrows(make(options), RangeError, "Cannot manage a connection as ");
    }
    for (const options of [{ clock: 1 }, { timeout: "1" }, { ping: 1 }]) {
      assertThrows(make(options), TypeError, "Cannot ");
    }
    assertThrows(() => managedOf(sw, { sink: nullFlow }, undefined as never), TypeError);
  }));
