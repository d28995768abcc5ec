// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { awaitCancel, ClosedError, copyString, first, type ListeningSocket, type Net, NetError } from "../../../mod.ts";
import { pipe, Switch, tcp, type TcpAddress } from "../../../mod.ts";
import { type ManagedConnection, managedOf, type ManagedSet, managedSet } from "../../../net/managed/mod.ts";
import { memoryNet, type MockClock, mockClock, mockFlow, mockListener } from "../../../net/testing/mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { emfile, finishedSwitch } from "../_helpers.ts";
import { pass } from "../server/_limits.ts";
import { readSome, settle } from "./_managed.ts";

const clock = mockClock();

function member(sw: Switch): ManagedConnection<string> {
  const [near] = pipe();
  return managedOf(sw, { source: near, sink: near }, { clock, data: "data" });
}

/** A network in memory, its listener, and a set. */
interface Serving {
  net: Net;
  clock: MockClock;
  listener: ListeningSocket<TcpAddress>;
  set: ManagedSet<string>;
  sw: Switch;
}

function serving(fn: (serving: Serving) => unknown): Promise<void> {
  return Switch.run(async (sw) => {
    const clock = mockClock();
    const net = memoryNet({ clock });
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const set = managedSet<string>(sw);
    await fn({ net, clock, listener, set, sw });
  });
}

async function filled<D>(set: ManagedSet<D>, size: number): Promise<ManagedConnection<D>[]> {
  while (set.size < size) await set.changed();
  return [...set];
}

test("add() adds a connection once, in order", () =>
  Switch.run((sw) => {
    const set = managedSet<string>(sw);
    const [a, b] = [member(sw), member(sw)];
    for (const each of [a, b, a]) set.add(each);
    assertEquals(set.size, 2);
    assertEquals([...set].map((each) => [a, b].indexOf(each)), [0, 1]);
  }));

test("a connection that ends leaves the set at once", () =>
  Switch.run((sw) => {
    const set = managedSet<string>(sw);
    const [a, b] = [member(sw), member(sw)];
    set.add(a);
    set.add(b);
    a.close();
    assertEquals(set.size, 1);
    assertStrictEquals([...set][0], b);
    set.add(a);
    assertEquals(set.size, 1);
  }));

test("iterating a set goes over the members at its start", () =>
  Switch.run((sw) => {
    const set = managedSet<string>(sw);
    for (let i = 0; i < 3; i++) set.add(member(sw));
    let count = 0;
    for (const each of set) {
      for (const other of set) other.close();
      set.add(member(sw));
      assertEquals(each.alive, false);
      count++;
    }
    assertEquals(count, 3);
  }));

test("add() refuses what is not a managed connection", () =>
  Switch.run((sw) => {
    const set = managedSet<string>(sw);
    for (const wrong of [undefined, 1, {}, set, { ...member(sw) }]) {
      assertThrows(() => set.add(wrong as never), TypeError, "Cannot add ");
    }
  }));

test("broadcast() sends to every member that can queue it, and counts them", () =>
  Switch.run(async (sw) => {
    const set = managedSet<string>(sw);
    const [one, peer] = pipe();
    set.add(managedOf(sw, { source: one, sink: one }, { clock, data: "" }));
    const [two] = pipe();
    set.add(managedOf(sw, { source: two }, { clock, data: "" })); // no sink
    const [three] = pipe();
    set.add(managedOf(sw, { source: three, sink: three }, { clock, data: "", maxSendBuffer: 2 }));
    assertEquals([set.broadcast("hello"), set.broadcast(new Uint8Array([33]))], [1, 2]);
    assertEquals(await readSome(peer), "hello!");
    assertThrows(() => set.broadcast(1 as never), TypeError, "Cannot send");
  }));

test("changed() of a set waits for its number, and for its members", () =>
  Switch.run(async (sw) => {
    const set = managedSet<string>(sw);
    const [near, peer] = pipe();
    const c = managedOf(sw, { source: near, sink: near }, { clock, data: "" });
    const changes: string[] = [];
    const note = async (name: string, change: () => unknown) => {
      const waiting = set.changed().then(() => changes.push(name));
      await settle();
      assertEquals(changes.includes(name), false);
      await change();
      await waiting;
    };
    await note("added", () => set.add(c));
    await note("received", () => copyString("x", peer));
    c.receiveAll();
    await note("left", () => c.close());
    assertEquals(changes, ["added", "received", "left"]);
    assertEquals(await first(() => set.changed(), () => settle().then(() => "cancelled")), "cancelled");
  }));

test("acceptFrom() adds connections with data, their peer, and the options of all", () =>
  serving(async ({ net, clock, listener, set, sw }) => {
    let count = 0;
    const accept = () => `client ${++count}`;
    sw.forkDaemon(() => set.acceptFrom(listener, { clock, accept, timeout: 1000, ping: "ping" }));
    const clients = [await net.connect(sw, listener.address), await net.connect(sw, listener.address)];
    const members = await filled(set, 2);
    assertEquals(members.map(({ data, timeout, peer }) => [data, timeout, peer]), [
      ["client 1", 1000, clients[0].local],
      ["client 2", 1000, clients[1].local],
    ]);
    await copyString("hello", clients[1]);
    assertEquals(textOf(await members[1].received(5) as Uint8Array), "hello");
    await pass(clock, 500);
    assertEquals([await readSome(clients[0]), await readSome(clients[1], 9)], ["ping", "ping"]);
    await pass(clock, 500);
    assertEquals(set.size, 0);
  }));

test("acceptFrom() resets a peer for which accept returns null", () =>
  serving(async ({ net, clock, listener, set, sw }) => {
    const peers: unknown[] = [];
    sw.forkDaemon(() => set.acceptFrom(listener, { clock, accept: (peer) => peers.push(peer) > 1 ? "second" : null }));
    const client = await net.connect(sw, listener.address);
    const error = await assertRejects(() => client.read(new Uint8Array(1)), NetError);
    assertEquals([error.code, set.size, peers], ["connection_reset", 0, [client.local]]);
    await net.connect(sw, listener.address);
    await filled(set, 1);
  }));

test("acceptFrom() rejects with what accept throws, and resets the peer", () =>
  serving(async ({ net, clock, listener, set, sw }) => {
    const accept = () => {
      throw new Error("Cannot accept");
    };
    const accepting = assertRejects(() => set.acceptFrom(listener, { clock, accept }), Error, "Cannot accept");
    const client = await net.connect(sw, listener.address);
    await accepting;
    await assertRejects(() => client.read(new Uint8Array(1)), NetError, "reset");
  }));

test("acceptFrom() is cancelled, and loses no connection", () =>
  serving(async ({ net, clock, listener, set, sw }) => {
    await first<unknown, void>(() => set.acceptFrom(listener, { clock, accept: () => "first" }), settle);
    await net.connect(sw, listener.address);
    await settle();
    assertEquals(set.size, 0);
    sw.forkDaemon(() => set.acceptFrom(listener, { clock, accept: () => "second" }));
    assertEquals((await filled(set, 1))[0].data, "second");
  }));

test("acceptFrom() ends with the listener, and its connections do not", () =>
  serving(async ({ net, clock, listener, set, sw }) => {
    const accepting = set.acceptFrom(listener, { clock, accept: () => "" });
    const ended = assertRejects(() => accepting, ClosedError);
    await net.connect(sw, listener.address);
    const [c] = await filled(set, 1);
    await listener.close();
    await ended;
    assertEquals(c.alive, true);
  }));

test("acceptFrom() survives errors of the system, with a pause", () =>
  Switch.run(async (sw) => {
    const clock = mockClock();
    const set = managedSet<string>(sw);
    const listener = mockListener("listener");
    listener.onAccept({ throw: new NetError("too_many_open_files", { operation: "accept", cause: emfile }) });
    listener.onAccept({ return: mockFlow("flow") }, { run: awaitCancel });
    sw.forkDaemon(() => set.acceptFrom(listener, { clock, accept: () => "" }));
    await pass(clock, 4);
    assertEquals(set.size, 0);
    await pass(clock, 1);
    await settle();
    assertEquals(listener.log.some((line) => line.includes("accepted")), true);
  }));

test("acceptFrom() takes from a structural listener", () =>
  serving(async ({ net, clock, listener, set, sw }) => {
    const structural = { ...listener, accept: (sw: Switch) => listener.accept(sw) } as typeof listener;
    sw.forkDaemon(() => set.acceptFrom(structural, { clock, accept: () => "" }));
    await net.connect(sw, listener.address);
    await filled(set, 1);
  }));

test("acceptFrom() refuses wrong arguments", () =>
  serving(async ({ clock, listener, set }) => {
    const accept = () => null;
    await assertRejects(() => set.acceptFrom({} as never, { clock, accept }), TypeError, "listening socket");
    await assertRejects(() => set.acceptFrom(listener, { clock } as never), TypeError, "not a function");
    await assertRejects(() => set.acceptFrom(listener, { accept } as never), TypeError, "not a Clock");
    await assertRejects(() => set.acceptFrom(listener, { clock, accept, timeout: -1 }), RangeError);
  }));

test("the end of its switch closes the whole set, whoever owns a member", () =>
  Switch.run(async (outer) => {
    const foreign = member(outer);
    const [set, own] = await Switch.run((sw) => {
      const set = managedSet<string>(sw);
      const own = member(sw);
      set.add(own);
      set.add(foreign);
      return [set, own] as const;
    });
    const closed = { kind: "disconnected", reason: "closed" };
    assertEquals([own.state, foreign.state, set.size], [closed, closed, 0]);
    await set.changed();
    assertThrows(() => set.add(member(outer)), TypeError, "its switch has ended");
    assertEquals(set.broadcast("x"), 0);
  }));

test("managedSet() under a finished switch is a TypeError", async () => {
  const sw = await finishedSwitch();
  assertThrows(() => managedSet(sw), TypeError, "finished");
  assertThrows(() => managedSet({} as never), TypeError, "must be a Switch");
});
