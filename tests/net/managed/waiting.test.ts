// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import { Cancelled, copyString, first, type ListeningSocket, type Net, pipe, Switch, tcp } from "../../../mod.ts";
import { limit, restrict } from "../../../net/confine/mod.ts";
import { managedOf, managedSet, waitAny } from "../../../net/managed/mod.ts";
import { memoryNet, mockClock, mockFlow, mockListener, openCounts } from "../../../net/testing/mod.ts";
import { wrapListener } from "../../../net/wrap/mod.ts";
import { inCancelledScope, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, microtasks, signal, withNet } from "../_helpers.ts";
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

const clock = mockClock();

/** Runs `fn` with a listener in memory. */
function listening(fn: (listener: ListeningSocket, net: Net, sw: Switch) => unknown): Promise<void> {
  return Switch.run(async (sw) => {
    const net = memoryNet();
    await fn(await net.listen(sw, tcp("127.0.0.1", 80)), net, sw);
  });
}

test("waitAny() is true when a connection changes", () =>
  managed({}, async ({ c, peer, sw }) => {
    const other = managedOf(sw, { source: pipe()[0] }, { clock, data: "" });
    const waiting = waitAny(clock, [other, c]);
    assertEquals(await settles(waiting), false);
    await copyString("x", peer);
    assertEquals(await waiting, true);
    const again = waitAny(clock, [other, c]);
    assertEquals(await settles(again), false);
    other.close();
    assertEquals(await again, true);
  }));

test("waitAny() is false at its timeout", () =>
  managed({}, async ({ c, clock, pass }) => {
    const waiting = waitAny(clock, [c], { timeout: 50 });
    await pass(49);
    assertEquals(await settles(waiting), false);
    await pass(1);
    assertEquals([await waiting, clock.tryAdvance()], [false, false]);
    assertEquals(await waitAny(clock, [c], { timeout: 0 }), false);
  }));

test("waitAny() leaves no timer", () =>
  managed({}, async ({ c, peer, clock }) => {
    const waiting = waitAny(clock, [c], { timeout: 50 });
    await copyString("x", peer);
    assertEquals([await waiting, clock.tryAdvance()], [true, false]);
  }));

test("waitAny() is true at once if nothing can change", () =>
  managed({}, async ({ c, sw }) => {
    assertEquals(await waitAny(clock, []), true);
    c.close();
    const set = await Switch.run((sw) => managedSet(sw));
    const listener = await memoryNet().listen(sw, tcp("127.0.0.1", 80));
    await listener.close();
    assertEquals(await waitAny(clock, [c, set, listener], { timeout: 50 }), true);
  }));

test("waitAny() leaves out what cannot change", () =>
  managed({}, async ({ c, sw, peer }) => {
    const dead = managedOf(sw, { source: pipe()[0] }, { clock, data: "" });
    dead.close();
    const waiting = waitAny(clock, [dead, c]);
    assertEquals(await settles(waiting), false);
    await copyString("x", peer);
    assertEquals(await waiting, true);
  }));

test("waitAny() is true when a set changes, also an empty one", () =>
  Switch.run(async (sw) => {
    const set = managedSet<string>(sw);
    const waiting = waitAny(clock, [set]);
    assertEquals(await settles(waiting), false);
    const [near, peer] = pipe();
    set.add(managedOf(sw, { source: near }, { clock, data: "" }));
    assertEquals(await waiting, true);
    const again = waitAny(clock, [set]);
    assertEquals(await settles(again), false);
    await copyString("x", peer);
    assertEquals(await again, true);
  }));

test("waitAny() on a listener is true when a connection is there, and takes none", () =>
  listening(async (listener, net, sw) => {
    const waiting = waitAny(clock, [listener]);
    assertEquals(await settles(waiting), false);
    const client = await net.connect(sw, listener.address);
    assertEquals([await waiting, await waitAny(clock, [listener]), await waitAny(clock, [listener])], [
      true,
      true,
      true,
    ]);
    assertEquals(openCounts().sockets, 1);
    const server = await listener.accept(sw);
    assertEquals(server.peer, client.local);
    assertEquals(
      await first<unknown, string>(() => waitAny(clock, [listener]), () => settle().then(() => "none")),
      "none",
    );
  }));

test("waitAny() on a listener is true when it is closed", () =>
  listening(async (listener) => {
    const waiting = waitAny(clock, [listener]);
    await settle();
    await listener.close();
    assertEquals(await waiting, true);
  }));

test("waitAny() on a listener leaves connections to accept() calls that wait", () =>
  listening(async (listener, net, sw) => {
    const accepting = listener.accept(sw);
    const waiting = waitAny(clock, [listener]);
    await net.connect(sw, listener.address);
    await accepting;
    assertEquals(await settles(waiting), false);
    await net.connect(sw, listener.address);
    assertEquals(await waiting, true);
  }));

test("a connection that a listener holds for waitAny() is reset when the listener closes", () =>
  listening(async (listener, net, sw) => {
    const client = await net.connect(sw, listener.address);
    await waitAny(clock, [listener]);
    await listener.close();
    await assertRejects(() => client.read(new Uint8Array(1)), Error, "reset");
  }));

test("waitAny() on wrapped listeners is true when a connection is there", () =>
  Switch.run(async (sw) => {
    const inner = memoryNet();
    const net = limit(restrict(inner, { listen: ["*:*"], connect: ["*:*"] }), { maxSockets: 9 });
    const listener = wrapListener(await net.listen(sw, tcp("127.0.0.1", 80)), { accept: (next) => next() });
    const waiting = waitAny(clock, [listener]);
    assertEquals(await settles(waiting), false);
    await net.connect(sw, listener.address);
    assertEquals(await waiting, true);
    await listener.accept(sw);
    await listener.close();
    assertEquals(await waitAny(clock, [listener]), true);
  }));

test("waitAny() on a wrapped listener is true when a connection came too late for its call", () =>
  listening(async (inner, net, sw) => {
    const gate = signal();
    const listener = wrapListener(inner, { accept: (next) => next().then((each) => gate.promise.then(() => each)) });
    const accepting = first<unknown, string>(() => listener.accept(sw), () => settle().then(() => "cancelled"));
    await net.connect(sw, listener.address);
    assertEquals(await accepting, "cancelled");
    gate.resolve();
    await settle();
    assertEquals(await waitAny(clock, [listener]), true);
    await listener.accept(sw);
    const again = waitAny(clock, [listener]);
    assertEquals(await settles(again), false);
    await listener.close();
    assertEquals(await again, true);
  }));

test("waitAny() on a mock listener is true when it has an action", () =>
  Switch.run(async (sw) => {
    const listener = mockListener("listener");
    const waiting = waitAny(clock, [listener]);
    assertEquals(await settles(waiting), false);
    listener.onAccept({ return: mockFlow("flow") });
    assertEquals([await waiting, await waitAny(clock, [listener])], [true, true]);
    await listener.accept(sw);
    const again = waitAny(clock, [listener]);
    assertEquals(await settles(again), false);
    await listener.close();
    assertEquals(await again, true);
  }));

test("waitAny() on a listener of the system is true when a connection is there", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const waiting = waitAny(net.clock, [listener]);
    const client = await net.connect(sw, listener.address);
    assertEquals(await waiting, true);
    const server = await listener.accept(sw);
    assertEquals(server.peer, client.local);
    await copyString("x", client);
    assertEquals(await server.read(new Uint8Array(2)), 1);
  }));

test("waitAny() refuses a structural listener, and anything else", () =>
  listening(async (listener, _, sw) => {
    const structural = { address: listener.address, accept: () => listener.accept(sw) };
    for (const wrong of [structural, undefined, 1, {}, pipe()[0]]) {
      await assertRejects(() => waitAny(clock, [wrong as never]), TypeError, "Cannot wait for ");
    }
    await assertRejects(() => waitAny(clock, listener as never), TypeError, "must be an array");
    await assertRejects(() => waitAny({} as never, []), TypeError, "not a Clock");
    await assertRejects(() => waitAny(clock, [], { timeout: -1 }), RangeError);
  }));

test("waitAny() is cancelled with its scope", () =>
  managed({}, async ({ c }) => {
    assertEquals(await first(() => waitAny(clock, [c]), () => settle().then(() => "cancelled")), "cancelled");
    await assertRejects(() => inCancelledScope(() => waitAny(clock, [c])), Cancelled);
  }));

test("waitAny() may be forgotten", () => managed({}, ({ c }) => void waitAny(clock, [c], { timeout: 50 })));
