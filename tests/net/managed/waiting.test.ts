// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import { copyString, first, Switch } from "../../../mod.ts";
import { managedOf } from "../../../net/managed/mod.ts";
import { mockClock } from "../../../net/testing/mod.ts";
import { inCancelledScope, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { microtasks } from "../_helpers.ts";
import { connecting, managed, readSome, settle, settles } from "./_managed.ts";

test("connected() waits until the connection is established", () =>
  connecting({}, async ({ c, opening, near }) => {
    const waiting = c.connected();
    assertEquals(await settles(waiting), false);
    opening.resolve(near);
    await waiting;
    assertEquals(await settles(c.connected()), true);
  }));

test("connected() waits while a connection that is to close nicely connects", () =>
  connecting({}, async ({ c, opening, near }) => {
    const closing = c.closeNicely();
    const waiting = c.connected();
    assertEquals(await settles(waiting), false);
    opening.resolve(near);
    await waiting;
    await closing;
  }));

test("flushed() waits until the sink has taken everything", () =>
  managed({}, async ({ c, peer }) => {
    assertEquals(await settles(c.flushed()), true);
    c.send("x".repeat(300_000));
    const waiting = c.flushed();
    assertEquals(await settles(waiting), false);
    let received = 0;
    while (received < 200_000) received += (await readSome(peer, 100_000))?.length ?? 0;
    assertEquals(await settles(waiting), false);
    while (received < 300_000) received += (await readSome(peer, 100_000))?.length ?? 0;
    await waiting;
  }));

test("flushed() waits for what is in flight", () =>
  Switch.run(async (sw) => {
    let take = (_: number) => {};
    const sink = { write: (_: Uint8Array) => new Promise<number>((resolve) => take = resolve) };
    const c = managedOf(sw, { sink }, { clock: mockClock(), data: 0 });
    c.send("xy");
    const waiting = c.flushed();
    assertEquals(await settles(waiting), false);
    take(1);
    assertEquals(await settles(waiting), false);
    take(1);
    await waiting;
  }));

test("received() waits until the bytes are there, and takes them", () =>
  managed({}, async ({ c, peer }) => {
    const waiting = c.received(5);
    await copyString("hel", peer);
    assertEquals([await settles(waiting), c.bufferLength], [false, 3]);
    await copyString("lo!", peer);
    assertEquals(textOf(await waiting as Uint8Array), "hello");
    assertEquals(textOf(await c.received(1) as Uint8Array), "!");
    assertEquals((await c.received(0))?.length, 0);
  }));

test("received() is served in the order of its calls", () =>
  managed({}, async ({ c, peer }) => {
    const waiting = [c.received(3), c.received(1), c.received(2)];
    await copyString("ab", peer);
    assertEquals(await settles(waiting[1]), false);
    await copyString("cdef", peer);
    assertEquals((await Promise.all(waiting)).map((bytes) => textOf(bytes as Uint8Array)), ["abc", "d", "ef"]);
  }));

test("received() that is cancelled has taken nothing", () =>
  managed({}, async ({ c, peer }) => {
    await copyString("hel", peer);
    assertEquals(await first(() => c.received(5), () => settle().then(() => "cancelled")), "cancelled");
    await copyString("lo", peer);
    assertEquals(textOf(await c.received(5) as Uint8Array), "hello");
  }));

test("received() is null if the connection ends before, and leaves what there is", () =>
  managed({}, async ({ c, peer }) => {
    const waiting = [c.received(5), c.received(2)];
    await copyString("hel", peer);
    await peer.close();
    assertEquals(await waiting[0], null);
    assertEquals(textOf(await waiting[1] as Uint8Array), "he");
    assertEquals([await c.received(2), textOf(await c.received(1) as Uint8Array)], [null, "l"]);
  }));

test("received() refuses what can never be there", () =>
  managed({ maxReceiveBuffer: 10 }, async ({ c }) => {
    for (const size of [11, -1, 0.5, NaN]) await assertRejects(() => c.received(size), RangeError, "Cannot receive");
  }));

test("received() makes space for more", () =>
  managed({ maxReceiveBuffer: 2 }, async ({ c, peer }) => {
    const writing = copyString("abcdef", peer);
    for (const text of ["ab", "cd", "ef"]) assertEquals(textOf(await c.received(2) as Uint8Array), text);
    await writing;
  }));

test("changed() waits for the state, and for bytes", () =>
  connecting({}, async ({ c, opening, near, peer }) => {
    const after = async (change: () => unknown) => {
      const waiting = c.changed();
      assertEquals(await settles(waiting), false);
      await change();
      await waiting;
    };
    await after(() => opening.resolve(near));
    assertEquals(c.state.kind, "connected");
    await after(() => copyString("x", peer));
    c.send("x".repeat(300_000));
    c.receiveAll();
    await after(() => void c.closeNicely());
    assertEquals(c.state.kind, "disconnecting");
    await after(() => c.close());
    assertEquals(await settles(c.changed()), true);
  }));

test("what waits for a connection settles when it ends", () =>
  connecting({}, async ({ c }) => {
    c.send("x");
    const waiting = Promise.all([c.connected(), c.flushed(), c.received(1), c.closed(), c.changed()]);
    await microtasks();
    c.close();
    assertEquals(await waiting, [undefined, undefined, null, undefined, undefined]);
    await Promise.all([c.connected(), c.flushed(), c.received(1), c.closed(), c.changed(), c.closeNicely()]);
  }));

test("what waits for a connection is cancelled with its scope", () =>
  connecting({}, async ({ c }) => {
    c.send("x");
    const calls = [() => c.connected(), () => c.flushed(), () => c.received(1), () => c.closed(), () => c.changed()];
    for (const call of calls) {
      assertEquals(await first(call as () => Promise<unknown>, () => settle().then(() => "cancelled")), "cancelled");
      assertEquals(await inCancelledScope(() => call().then(() => "settled", () => "cancelled")), "cancelled");
    }
  }));

test("what waits for a connection may be forgotten", () =>
  managed({}, ({ c }) => {
    c.received(1);
    c.closed();
    c.changed();
    c.closeNicely();
  }));
