// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import { type Clock, copyString, NetError, nullFlow, Switch, yieldNow } from "../../../mod.ts";
import { managedConnection, managedOf, type ManagedState } from "../../../net/managed/mod.ts";
import { mockClock } from "../../../net/testing/mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { connecting, managed, readSome, settle } from "./_managed.ts";

const timedOut: ManagedState = { kind: "disconnected", reason: "timeout" };

test("timeout ends a connection that receives nothing for so long, with a reset", () =>
  managed({ timeout: 1000 }, async ({ c, peer, pass }) => {
    await pass(999);
    assertEquals(c.state, { kind: "connected" });
    await pass(1);
    assertEquals(c.state, timedOut);
    await assertRejects(() => peer.read(new Uint8Array(1)), NetError, "reset");
  }));

test("timeout starts again with each byte received", () =>
  managed({ timeout: 1000 }, async ({ c, peer, pass }) => {
    for (let i = 0; i < 3; i++) {
      await pass(900);
      await copyString("x", peer);
    }
    await pass(999);
    assertEquals(c.alive, true);
    await pass(1);
    assertEquals([c.state, textOf(c.receiveAll())], [timedOut, "xxx"]);
  }));

test("timeout is not extended by sending", () =>
  managed({ timeout: 1000 }, async ({ c, peer, pass }) => {
    await pass(900);
    c.send("x");
    assertEquals(await readSome(peer), "x");
    await pass(100);
    assertEquals(c.state, timedOut);
  }));

test("timeout limits connecting", () =>
  connecting({ timeout: 1000 }, async ({ c, opening, near, peer, pass }) => {
    await pass(1000);
    assertEquals(c.state, timedOut);
    opening.resolve(near);
    await assertRejects(() => peer.read(new Uint8Array(1)), NetError, "reset");
  }));

test("timeout is not extended by connecting", () =>
  connecting({ timeout: 1000 }, async ({ c, opening, near, pass }) => {
    await pass(900);
    opening.resolve(near);
    await c.connected();
    await pass(100);
    assertEquals(c.state, timedOut);
  }));

test("timeout limits closing nicely", () =>
  managed({ timeout: 1000 }, async ({ c, pass }) => {
    c.send("x".repeat(300_000));
    const closing = c.closeNicely();
    await pass(1000);
    await closing;
    assertEquals(c.state, timedOut);
  }));

test("timeout limits sending after the peer's end", () =>
  managed({ timeout: 1000 }, async ({ c, peer, pass }) => {
    c.send("x".repeat(300_000));
    await peer.shutdown("send");
    await pass(1000);
    assertEquals(c.state, timedOut);
  }));

test("timeout runs on while the receive buffer is full", () =>
  managed({ timeout: 1000, maxReceiveBuffer: 2 }, async ({ c, peer, pass }) => {
    await copyString("xxx", peer);
    await pass(1000);
    assertEquals(c.state, timedOut);
  }));

test("timeout reads first what has arrived while the program was busy", () =>
  managed({ timeout: 1000 }, async ({ c, peer, clock }) => {
    await settle();
    clock.setTime(5000);
    for (let turn = 0; turn < 10; turn++) await yieldNow();
    await copyString("x", peer); // as if it had waited in the system
    await settle();
    assertEquals([c.alive, textOf(c.receiveAll())], [true, "x"]);
  }));

test("timeout of Infinity, and none, last for ever and need no timer", () =>
  managed({ timeout: Infinity, ping: "ping" }, ({ c, clock, sw }) => {
    managedOf(sw, { source: nullFlow }, { clock, data: 0, ping: "ping" });
    assertEquals([clock.tryAdvance(), c.alive], [false, true]);
  }));

test("ping is sent once, after half of the timeout", () =>
  managed({ timeout: 1000, ping: "ping" }, async ({ c, peer, pass }) => {
    await pass(499);
    const reading = readSome(peer);
    assertEquals(await Promise.race([reading, "nothing"]), "nothing");
    await pass(1);
    assertEquals(await reading, "ping");
    const again = readSome(peer).catch(() => "reset");
    await pass(499);
    assertEquals(await Promise.race([again, "nothing"]), "nothing");
    await pass(1);
    assertEquals([await again, c.state], ["reset", timedOut]);
  }));

test("ping is sent again after a byte was received", () =>
  managed({ timeout: 1000, ping: "ping" }, async ({ c, peer, pass }) => {
    for (let i = 0; i < 3; i++) {
      await pass(500);
      assertEquals(await readSome(peer), "ping");
      await pass(400);
      await copyString("x", peer);
      await settle();
    }
    assertEquals(c.alive, true);
  }));

test("ping is not delayed by sending", () =>
  managed({ timeout: 1000, ping: "ping" }, async ({ c, peer, pass }) => {
    await pass(400);
    c.send("x");
    await pass(100);
    assertEquals(await readSome(peer), "xping");
  }));

test("ping is not sent while connecting, but then, if half of the timeout is over", () =>
  connecting({ timeout: 1000, ping: "ping" }, async ({ c, opening, near, peer, pass }) => {
    await pass(600);
    c.send("x");
    opening.resolve(near);
    await settle();
    assertEquals(await readSome(peer), "xping");
  }));

test("ping is not sent while disconnecting", () =>
  managed({ timeout: 1000, ping: "ping" }, async ({ c, peer, pass }) => {
    c.send("x".repeat(300_000));
    c.closeNicely();
    await pass(500);
    let text = "";
    for (let part; (part = await readSome(peer, 100_000)) !== null;) text += part;
    assertEquals([text.length, c.alive], [300_000, false]);
  }));

test("ping is copied", () =>
  managed({}, async ({ clock, sw, pass }) => {
    const ping = new Uint8Array([1]);
    const sent: number[] = [];
    const sink = { write: (bytes: Uint8Array) => Promise.resolve(sent.push(...bytes)) };
    managedOf(sw, { sink }, { clock, data: 0, timeout: 1000, ping });
    ping[0] = 2;
    await pass(500);
    assertEquals(sent, [1]);
  }));

test("a connection that has ended leaves no timer", () =>
  managed({ timeout: 1000, ping: "ping" }, async ({ c, clock }) => {
    c.closeNicely({ timeout: 5000 });
    await c.closed();
    await settle();
    assertEquals(clock.tryAdvance(), false);
  }));

test("a clock that fails fails the connection", () =>
  Switch.run(async (sw) => {
    const error = new Error("No clock");
    const clock: Clock = { ...mockClock(), sleep: () => Promise.reject(error) };
    const c = managedConnection(sw, () => new Promise(() => {}), { clock, data: 0, timeout: 5 });
    await c.closed();
    assertEquals(c.state, { kind: "disconnected", reason: "failed", error });
  }));
