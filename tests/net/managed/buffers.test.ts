// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { copyString, nullFlow, type Source, Switch, writeAll } from "../../../mod.ts";
import { type ManagedConnection, managedOf } from "../../../net/managed/mod.ts";
import { mockClock } from "../../../net/testing/mod.ts";
import { bytesOf, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { microtasks } from "../_helpers.ts";
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
    assertThrows(() => c.poll(5, 6), RangeError, "Cannot poll 11 bytes: the receive buffer holds at most 10");
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

/*
 * Random operations, compared with a plain model: two strings of bytes.
 */

/** A sink that takes as much as it is told, and a source that has what it is told. */
class Peer implements Source {
  sent: number[] = [];
  /** How many bytes the sink takes before it waits. */
  #credit = 0;
  #arrived: number[] = [];
  #ended = false;
  #wake = () => {};

  supply(bytes: readonly number[], ended: boolean): void {
    this.#arrived.push(...bytes);
    this.#ended ||= ended;
    this.#wake();
  }

  allow(size: number): void {
    this.#credit += size;
    this.#wake();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const others = this.#wake;
      await new Promise<void>((resolve) => this.#wake = () => (others(), resolve()));
    }
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    await this.#until(() => this.#ended || this.#arrived.length > 0);
    if (this.#arrived.length === 0) return null;
    const bytes = this.#arrived.splice(0, buffer.length);
    buffer.set(bytes);
    return bytes.length;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#until(() => this.#credit > 0);
    const taken = Math.min(bytes.length, this.#credit);
    this.#credit -= taken;
    this.sent.push(...bytes.subarray(0, taken));
    return taken;
  }
}

const maxReceiveBuffer = 600;
const maxSendBuffer = 1500;

/** What the connection must hold. */
class Model {
  readonly peer: Peer = new Peer();
  /** What the peer has supplied, and was not taken. */
  input: number[] = [];
  /** What was queued. */
  output: number[] = [];
  credit = 0;
  ended = false;
  next = 0;

  /** What of `input` fits into the receive buffer. */
  get buffered(): number[] {
    return this.input.slice(0, maxReceiveBuffer);
  }

  get unsent(): number {
    return this.output.length - Math.min(this.output.length, this.credit);
  }

  bytes(size: number): number[] {
    return Array.from({ length: size }, () => this.next++ & 255);
  }
}

type Step = (c: ManagedConnection<undefined>, model: Model) => unknown;

const size = fc.integer({ min: 0, max: maxReceiveBuffer });
const list = (bytes: Uint8Array | null) => bytes && [...bytes];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: 0, max: 1200 }).map((size): Step => (c, model) => {
    const bytes = model.bytes(size);
    const fits = !model.ended && model.unsent + size <= maxSendBuffer;
    assertEquals(c.send(new Uint8Array(bytes)), fits);
    if (fits) model.output.push(...bytes);
  }),
  fc.integer({ min: 1, max: 900 }).map((size): Step => (_, model) => {
    model.credit += size;
    model.peer.allow(size);
  }),
  fc.integer({ min: 1, max: 900 }).map((size): Step => (_, model) => {
    if (model.ended) return;
    const bytes = model.bytes(size);
    model.input.push(...bytes);
    model.peer.supply(bytes, false);
  }),
  size.map((size): Step => (c, model) => {
    const has = size <= model.buffered.length;
    assertEquals(list(c.receive(size)), has ? model.input.splice(0, size) : null);
  }),
  size.map((size): Step => (c, model) => {
    assertEquals(list(c.receivePart(size)), model.input.splice(0, Math.min(size, model.buffered.length)));
  }),
  fc.constant<Step>((c, model) => assertEquals(list(c.receiveAll()), model.input.splice(0, model.buffered.length))),
  size.map((size): Step => (c, model) => {
    const has = size <= model.buffered.length;
    assertEquals(c.forget(size), has);
    if (has) model.input.splice(0, size);
  }),
  fc.tuple(size, size).map(([offset, size]): Step => (c, model) => {
    const { buffered } = model;
    const part = buffered.slice(offset, offset + size);
    assertEquals(list(c.pollPart(offset, size)), part);
    if (offset + size > maxReceiveBuffer) return;
    assertEquals(list(c.poll(offset, size)), offset + size <= buffered.length ? part : null);
  }),
  size.map((size): Step => async (c, model) => {
    if (size > model.buffered.length) return;
    assertEquals(list(await c.received(size)), model.input.splice(0, size));
  }),
);

test("a managed connection behaves like two strings of bytes", () =>
  fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, ends) => {
      await Switch.run(async (sw) => {
        const model = new Model();
        const { peer } = model;
        const c = managedOf(sw, { source: peer, sink: peer }, {
          clock: mockClock(),
          data: undefined,
          maxReceiveBuffer,
          maxSendBuffer,
        });
        for (const step of steps) {
          await step(c, model);
          await microtasks(60);
          assertEquals([c.bufferLength, c.bufferEmpty], [model.buffered.length, model.buffered.length === 0]);
          assertEquals(peer.sent, model.output.slice(0, model.credit));
        }
        peer.allow(Infinity);
        if (!ends) return await c.closeNicely();
        peer.supply([], true);
        while (c.alive || !c.bufferEmpty) {
          assertEquals(list(c.receiveAll()), model.input.splice(0, model.buffered.length));
          await c.changed();
          await microtasks(60);
        }
        assertEquals([model.input, c.state], [[], { kind: "disconnected", reason: "end" }]);
        assertEquals(peer.sent, model.output);
      });
    }),
    { numRuns: 100 },
  ));
