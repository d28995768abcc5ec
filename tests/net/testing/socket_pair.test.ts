// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  BusyError,
  Cancelled,
  ClosedError,
  copy,
  copyString,
  first,
  NetError,
  readAll,
  type StreamAddress,
  tcp,
  unix,
  yieldNow,
} from "../../../mod.ts";
import { checkFlow, socketPair } from "../../../net/testing/mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { assertNetError } from "../_helpers.ts";

for (const check of checkFlow(() => Promise.resolve(socketPair()), { clogged: () => Promise.resolve(socketPair()) })) {
  test(`socketPair(): ${check.name}`, () => check.run());
}

test("socketPair() has two loopback addresses, each the other's peer", () => {
  const [a, b] = socketPair();
  assertEquals([a.local, a.peer], [b.peer, b.local]);
  assertEquals(a.local.transport === "tcp" && String(a.local.ip), "127.0.0.1");
});

test("socketPair() has the addresses that it is given", () => {
  const [a, b] = socketPair({ local: tcp("10.0.0.1", 1), peer: unix("/run/x") });
  assertEquals([a.local, a.peer, b.local, b.peer], [
    tcp("10.0.0.1", 1),
    unix("/run/x"),
    unix("/run/x"),
    tcp("10.0.0.1", 1),
  ]);
});

test("socketPair() refuses an address that no stream socket has", () => {
  for (const local of [{ transport: "udp" }, "tcp:127.0.0.1:80", null]) {
    try {
      socketPair({ local: local as unknown as StreamAddress });
      assert(false);
    } catch (error) {
      assert(error instanceof TypeError, String(error));
    }
  }
});

test("socketPair() carries bytes and the end both ways", async () => {
  const [a, b] = socketPair();
  await copyString("hello", a);
  await a.shutdown("send");
  await copy(b, b);
  await b.shutdown("send");
  assertEquals(textOf(await readAll(a)), "hello");
});

test("socketPair() delivers bytes written before close, and then the end", async () => {
  const [a, b] = socketPair();
  await copyString("hello", a);
  await a.close();
  assertEquals(textOf(await readAll(b)), "hello");
});

test("socketPair(): abort() makes reads and writes of the other side connection_reset, again and again", async () => {
  const [a, b] = socketPair();
  a.abort();
  for (let i = 0; i < 2; i++) {
    const error = await assertNetError(() => b.read(new Uint8Array(1)), "connection_reset");
    assertEquals([error.operation, error.address], ["read", b.peer]);
    await assertNetError(() => b.write(new Uint8Array(1)), "connection_reset");
  }
});

test("socketPair(): abort() wakes the other side's read and write with connection_reset", async () => {
  const [a, b] = socketPair();
  await copyString("x".repeat(64 * 1024), b);
  const waiting = [
    assertNetError(() => b.read(new Uint8Array(1)), "connection_reset"),
    assertNetError(() => b.write(new Uint8Array(1)), "connection_reset"),
  ];
  a.abort();
  await Promise.all(waiting);
});

test("socketPair(): abort() loses what had arrived", async () => {
  const [a, b] = socketPair();
  await copyString("hello", a);
  a.abort();
  await assertNetError(() => readAll(b), "connection_reset");
});

test("socketPair(): abort() after the other side has seen the end leaves it at the end", async () => {
  const [a, b] = socketPair();
  await a.shutdown("send");
  assertEquals(await b.read(new Uint8Array(1)), null);
  a.abort();
  assertEquals(await b.read(new Uint8Array(1)), null);
  await assertNetError(() => b.write(new Uint8Array(1)), "connection_reset");
});

test("socketPair(): abort() after close() does nothing", async () => {
  const [a, b] = socketPair();
  await copyString("hello", a);
  await a.close();
  a.abort();
  assertEquals(textOf(await readAll(b)), "hello");
});

test("socketPair(): abort() wakes this side with ClosedError", async () => {
  const [a] = socketPair();
  const reading = assertRejects(() => a.read(new Uint8Array(1)), ClosedError);
  a.abort();
  await reading;
  await assertRejects(() => a.write(new Uint8Array(1)), ClosedError);
  await a.close();
});

test("socketPair(): what this side has closed is ClosedError, although the peer has aborted", async () => {
  const [a, b] = socketPair();
  await b.close();
  a.abort();
  await assertRejects(() => b.read(new Uint8Array(1)), ClosedError);
  await assertRejects(() => b.write(new Uint8Array(1)), ClosedError);
});

test("socketPair(): writing to a side that has closed is connection_reset", async () => {
  const [a, b] = socketPair();
  await b.close();
  const error = await assertNetError(() => copyString("hello", a), "connection_reset");
  assertEquals([error.operation, error.address], ["write", a.peer]);
  assertEquals(await a.read(new Uint8Array(1)), null);
});

test("socketPair(): a write that waits when the other side closes is connection_reset", async () => {
  const [a, b] = socketPair();
  await copyString("x".repeat(64 * 1024), a);
  const waiting = assertNetError(() => a.write(new Uint8Array(1)), "connection_reset");
  await b.close();
  await waiting;
});

test("socketPair(): abort() fails pending and later operations on its own side with the reason", async () => {
  const [a] = socketPair();
  const reason = new Error("Enough");
  const waiting = assertRejects(() => a.read(new Uint8Array(1)), ClosedError);
  (a.abort as (reason: unknown) => void)(reason);
  assertEquals((await waiting).cause, reason);
  assertEquals((await assertRejects(() => a.write(new Uint8Array(1)), ClosedError)).cause, reason);
});

test("socketPair(): a reset is not a Cancelled, and a cancelled read leaves the bytes", async () => {
  const [a, b] = socketPair();
  await first(() => b.read(new Uint8Array(1)), () => yieldNow());
  await copyString("x", a);
  assertEquals(await b.read(new Uint8Array(9)), 1);
  a.abort();
  const error = await b.read(new Uint8Array(1)).catch((error) => error);
  assert(!(error instanceof Cancelled));
});

test("socketPair(): two reads at once are a BusyError", async () => {
  const [a, b] = socketPair();
  const reading = b.read(new Uint8Array(1));
  await assertRejects(() => b.read(new Uint8Array(1)), BusyError);
  await a.close();
  await reading;
});

test("socketPair() has no socket options", async () => {
  const [a] = socketPair();
  await assertNetError(() => Promise.try(() => a.setOption("TCP_NODELAY", true)), "not_supported");
  await assertNetError(() => Promise.try(() => a.getOption("TCP_NODELAY")), "not_supported");
});

test("socketPair() is frozen, and needs no switch", async () => {
  for (const socket of socketPair()) {
    assert(Object.isFrozen(socket));
    assertEquals(Reflect.ownKeys(socket), ["local", "peer"]);
    await socket[Symbol.asyncDispose]();
    assert(!(await socket.read(new Uint8Array(1)).catch((error) => error) instanceof NetError));
  }
});
