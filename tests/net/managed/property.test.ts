// Copyright 2026 the Sluice authors. MIT license.

/** Random operations, compared with a plain model: two strings of bytes. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Source, Switch } from "../../../mod.ts";
import { type ManagedConnection, managedOf } from "../../../net/managed/mod.ts";
import { mockClock } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";
import { microtasks } from "../_helpers.ts";

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
    { numRuns: 40 },
  ));
