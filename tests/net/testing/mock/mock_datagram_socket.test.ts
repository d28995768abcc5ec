// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  BusyError,
  Cancelled,
  ClosedError,
  first,
  NetError,
  Switch,
  tcp,
  udp,
  unix,
  yieldNow,
} from "../../../../mod.ts";
import { wrapDatagramSocket } from "../../../../net/wrap/mod.ts";
import { mockDatagramSocket, mockNet, openCounts } from "../../../../net/testing/mod.ts";
import { bytesOf, textOf } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";

const failure = new Error("Cannot go on");
const peer = udp("10.0.0.2", 53);

test("MockDatagramSocket.recv() returns scripted datagrams, cut to the buffer", async () => {
  const socket = mockDatagramSocket("socket");
  socket.onRecv({ return: { data: "hello", from: peer } }, { return: "text" }, { return: new Uint8Array(0) });
  const buffer = new Uint8Array(4);
  assertEquals(await socket.recv(buffer), { size: 4, from: peer, truncated: true });
  assertEquals(textOf(buffer), "hell");
  assertEquals(await socket.recv(buffer), { size: 4, from: udp("127.0.0.1", 50002), truncated: false });
  assertEquals((await socket.recv(buffer)).size, 0);
  assertEquals(socket.log, [
    'socket: received "hello" from udp:10.0.0.2:53',
    'socket: received "text" from udp:127.0.0.1:50002',
    'socket: received "" from udp:127.0.0.1:50002',
  ]);
});

test("MockDatagramSocket.recvMany() returns one datagram", async () => {
  const socket = mockDatagramSocket("socket");
  socket.onRecv({ await: Promise.resolve({ data: bytesOf("a"), from: peer }) }, { return: "b" });
  assertEquals(await socket.recvMany(), [{ data: bytesOf("a"), from: peer }]);
});

test("MockDatagramSocket.recv() without an action fails and names onRecv", async () => {
  const socket = mockDatagramSocket("socket");
  socket.onRecv({ throw: failure });
  assertStrictEquals(await socket.recv(new Uint8Array(1)).catch((error) => error), failure);
  const text = 'Cannot receive: the mock "socket" has no action left, so script one with onRecv';
  await assertRejects(() => socket.recv(new Uint8Array(1)), TypeError, text);
  await assertRejects(() => socket.recvMany(), TypeError, text);
});

test("MockDatagramSocket.recv() that waits is cancelled, and keeps a late datagram", async () => {
  const socket = mockDatagramSocket("socket");
  const late = Promise.withResolvers<string>();
  socket.onRecv({ await: late.promise }, { return: "next" });
  await first(() => socket.recv(new Uint8Array(8)), yieldNow);
  late.resolve("late");
  await yieldNow();
  assertEquals((await socket.recvMany()).map(({ data }) => textOf(data)), ["late"]);
  assertEquals((await socket.recvMany()).map(({ data }) => textOf(data)), ["next"]);
});

test("MockDatagramSocket.recv() refuses a second call meanwhile", async () => {
  const socket = mockDatagramSocket("socket");
  socket.onRecv({ yieldThen: { return: "a" } });
  const receiving = socket.recvMany();
  await assertRejects(() => socket.recv(new Uint8Array(1)), BusyError);
  assertEquals((await receiving).length, 1);
  await assertRejects(() => socket.recv("x" as never), TypeError);
});

test("MockDatagramSocket.send() sends unless something else is scripted", async () => {
  const socket = mockDatagramSocket("socket");
  const error = new NetError("permission_denied", { operation: "send" });
  socket.onSend({ throw: error }, { await: new Promise(() => {}) }, { return: undefined });
  assertStrictEquals(await socket.send(bytesOf("a"), peer).catch((error) => error), error);
  await first(() => socket.send(bytesOf("b"), peer), yieldNow);
  await socket.send(bytesOf("c\nd"), peer);
  await socket.send([bytesOf("e"), bytesOf("f")], unix("/run/x"));
  await socket.send([], peer);
  assertEquals(socket.log, [
    'socket: sent "c\\n"\n             "d" to udp:10.0.0.2:53',
    'socket: sent ["e", "f"] to unix:/run/x',
    "socket: sent [] to udp:10.0.0.2:53",
  ]);
});

test("MockDatagramSocket.send() checks its arguments", async () => {
  const socket = mockDatagramSocket("socket");
  await assertRejects(() => socket.send(bytesOf("a")), TypeError, "the socket is not connected");
  await assertRejects(() => socket.send("a" as never, peer), TypeError);
  await assertRejects(() => socket.send(bytesOf("a"), tcp("10.0.0.1", 1) as never), TypeError);
  assertEquals(socket.log, []);
});

test("MockDatagramSocket.close() is logged once and fails what waits and what follows", async () => {
  const socket = mockDatagramSocket("socket");
  socket.onRecv({ await: new Promise(() => {}) });
  socket.onSend({ await: new Promise(() => {}) });
  const waits = [
    assertRejects(() => socket.recvMany(), ClosedError),
    assertRejects(() => socket.send(bytesOf("a"), peer), ClosedError),
  ];
  await socket.close();
  await socket[Symbol.asyncDispose]();
  await Promise.all(waits);
  await assertRejects(() => socket.recv(new Uint8Array(1)), ClosedError);
  await assertRejects(() => socket.send(bytesOf("a"), peer), ClosedError);
  assertThrows(() => socket.getOption("IP_TTL"), ClosedError);
  assertEquals(socket.log, ["socket: closed"]);
});

test("MockDatagramSocket in a cancelled scope uses no action", async () => {
  const socket = mockDatagramSocket("socket");
  socket.onRecv({ return: "kept" });
  await assertRejects(
    () =>
      Switch.run(async (sw) => {
        sw.fail(failure);
        await assertRejects(() => socket.recvMany(), Cancelled);
        await assertRejects(() => socket.send(bytesOf("a"), peer), Cancelled);
      }),
    Error,
    failure.message,
  );
  assertEquals((await socket.recvMany()).length, 1);
});

test("MockNet.datagramSocket() tells a mock socket its addresses, and the switch owns it", async () => {
  const net = mockNet();
  const { log } = net;
  const [any, bound, fixed] = ["any", "bound", "fixed"].map((label, i) =>
    mockDatagramSocket(label, { log, local: i < 2 ? undefined : udp("::1", 9) })
  );
  net.onDatagramSocket({ return: any }, { return: bound }, { return: fixed });
  await Switch.run(async (sw) => {
    const options = { remote: peer, socketOptions: { SO_BROADCAST: true, IP_TTL: 3 } } as const;
    assertStrictEquals<unknown>(await net.datagramSocket(sw, "udp4", options), any);
    assertEquals([any.local, any.remote], [udp("0.0.0.0", 0), peer]);
    await any.send(bytesOf("a"));
    await assertRejects(() => any.send(bytesOf("a"), udp("10.0.0.3", 53)), TypeError, "the socket is connected to");
    any.onRecv({ return: "b" });
    assertEquals((await any.recv(new Uint8Array(1))).from, peer);
    assertEquals((await net.datagramSocket(sw, udp("127.0.0.1", 7))).local, udp("127.0.0.1", 7));
    assertEquals((await net.datagramSocket(sw, "udp6")).local, udp("::1", 9));
    assertEquals(openCounts().sockets, 3);
  });
  assertEquals(openCounts().sockets, 0);
  assertEquals(log, [
    "net: datagram socket on udp:0.0.0.0:0 to udp:10.0.0.2:53",
    "any: set SO_BROADCAST true",
    "any: set IP_TTL 3",
    'any: sent "a" to udp:10.0.0.2:53',
    'any: received "b" from udp:10.0.0.2:53',
    "net: datagram socket on udp:127.0.0.1:7",
    "net: datagram socket on udp:[::]:0",
    "fixed: closed",
    "bound: closed",
    "any: closed",
  ]);
});

test("mockDatagramSocket() works with wrapDatagramSocket()", async () => {
  const socket = mockDatagramSocket("socket");
  let size = 0;
  const wrapped = wrapDatagramSocket(socket, { sent: (bytes) => size += bytes });
  await wrapped.send(bytesOf("abc"), peer);
  await wrapped.close();
  assertEquals([size, socket.log], [3, ['socket: sent "abc" to udp:10.0.0.2:53', "socket: closed"]]);
});

test("MockDatagramSocket.onRecv() refuses what is not a datagram when it is scripted", () => {
  const socket = mockDatagramSocket("socket");
  for (const value of [null, 5, {}, { data: 5 }, { from: peer }]) {
    assertThrows(
      () => socket.onRecv({ return: value as never }),
      TypeError,
      "its data must be a string or a Uint8Array",
    );
  }
  assertThrows(() => socket.onRecv({ return: { data: "x", from: tcp("::1", 1) as never } }), TypeError);
  assertThrows(() => socket.onSend("x" as never), TypeError, "Cannot script action 1 of onSend");
  assertThrows(() => mockDatagramSocket("socket", { local: tcp("::1", 1) as never }), TypeError);
});
