// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  acceptFork,
  awaitCancel,
  Cancelled,
  ClosedError,
  copy,
  first,
  NetError,
  runServer,
  type StreamSocket,
  Switch,
  tcp,
  TimeoutError,
  unix,
  withTimeout,
  yieldNow,
} from "../../../../mod.ts";
import { wrapListener } from "../../../../net/wrap/mod.ts";
import { mockClock, mockFlow, mockListener, mockNet, openCounts, socketPair } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";

const failure = new Error("Cannot go on");

test("MockListener.accept() returns the scripted flow, which the switch owns", async () => {
  const log: string[] = [];
  const listener = mockListener("listener", { log });
  const flow = mockFlow("flow", { log, peer: tcp("10.0.0.7", 1234) });
  listener.onAccept({ return: flow });
  await Switch.run(async (sw) => {
    assertStrictEquals(await listener.accept(sw), flow);
    assertEquals(openCounts().sockets, 1);
    assert(sw.dump().includes("resource: flow"), sw.dump());
    log.push("end");
  });
  assertEquals(log, ["listener: accepted connection from tcp:10.0.0.7:1234", "end", "flow: closed"]);
  await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError, "its switch has ended");
  assertEquals(openCounts().sockets, 0);
});

test("MockListener.accept() of a flow that is closed by hand logs closed once", async () => {
  const listener = mockListener("listener");
  const flow = mockFlow("flow");
  listener.onAccept({ return: flow });
  await Switch.run(async (sw) => {
    const connection = await listener.accept(sw);
    await connection.close();
    assertEquals(openCounts().sockets, 0);
    assert(!sw.dump().includes("resource"), sw.dump());
  });
  assertEquals(flow.log, ["flow: closed"]);
});

test("MockListener.accept() closes a connection that is not a mock with the switch", async () => {
  const listener = mockListener("listener");
  const [client, server] = socketPair();
  listener.onAccept({ return: server });
  await Switch.run(async (sw) => assertStrictEquals(await listener.accept(sw), server));
  assertEquals(await client.read(new Uint8Array(1)), null);
  assertEquals(listener.log, ["listener: accepted connection from tcp:127.0.0.1:50001"]);
});

test("MockListener.accept() throws what is scripted, and names onAccept without an action", async () => {
  const listener = mockListener("listener");
  listener.onAccept({ throw: failure });
  await Switch.run(async (sw) => {
    assertStrictEquals(await listener.accept(sw).catch((error) => error), failure);
    const text = 'Cannot accept: the mock "listener" has no action left, so script one with onAccept';
    await assertRejects(() => listener.accept(sw), TypeError, text);
    await assertRejects(() => listener.accept(1 as never), TypeError, "sw must be a Switch");
  });
  assertEquals(listener.log, []);
});

test("MockListener.accept() that waits is cancelled, and keeps a late connection for the next call", async () => {
  const listener = mockListener("listener");
  const late = Promise.withResolvers<StreamSocket>();
  const [one, two] = [mockFlow("one"), mockFlow("two")];
  listener.onAccept({ run: awaitCancel }, { await: late.promise }, { return: two });
  await Switch.run(async (sw) => {
    for (let i = 0; i < 2; i++) await first(() => listener.accept(sw), yieldNow);
    late.resolve(one);
    await yieldNow();
    assertEquals(openCounts().sockets, 0);
    assertStrictEquals(await listener.accept(sw), one);
    assertStrictEquals(await listener.accept(sw), two);
  });
});

test("MockListener.accept() keeps the connection if its switch fails in the same turn", async () => {
  const listener = mockListener("listener");
  const flow = mockFlow("flow");
  listener.onAccept({ return: flow });
  const ended = Switch.run((sw) => {
    const accepting = listener.accept(sw);
    sw.fail(failure);
    return accepting;
  });
  await assertRejects(() => ended, Error, failure.message);
  assertEquals(flow.log, []);
  await Switch.run(async (sw) => assertStrictEquals(await listener.accept(sw), flow));
});

test("MockListener.accept() serves concurrent calls in order", async () => {
  const listener = mockListener("listener");
  const flows = ["a", "b"].map((label) => mockFlow(label));
  listener.onAccept({ yieldThen: { return: flows[0] } }, { return: flows[1] });
  await Switch.run(async (sw) => {
    const accepted = await Promise.all([listener.accept(sw), listener.accept(sw)]);
    assertStrictEquals(accepted[0], flows[0]);
    assertStrictEquals(accepted[1], flows[1]);
  });
});

test("MockListener.close() is logged once and fails what waits and what follows", async () => {
  const listener = mockListener("listener");
  listener.onAccept({ await: new Promise(() => {}) });
  await Switch.run(async (sw) => {
    const text = "Cannot accept on listener: closed by this side";
    const accepting = assertRejects(() => listener.accept(sw), ClosedError, text);
    await yieldNow();
    listener.accept(sw).catch(() => {});
    await listener.close();
    await listener[Symbol.asyncDispose]();
    await accepting;
    await assertRejects(() => listener.accept(sw), ClosedError);
  });
  assertThrows(() => listener.setOption("TCP_NODELAY", true), ClosedError);
  assertEquals(listener.log, ["listener: closed"]);
});

test("MockListener.accept() is refused in a finished and in a cancelled switch, and uses no action", async () => {
  const listener = mockListener("listener");
  const flow = mockFlow("flow");
  listener.onAccept({ return: flow });
  const finished = await Switch.run((sw) => sw);
  await assertRejects(() => listener.accept(finished), TypeError, "the switch is finished");
  await assertRejects(
    () =>
      Switch.run(async (sw) => {
        sw.fail(failure);
        await assertRejects(() => listener.accept(sw), Cancelled);
      }),
    Error,
    failure.message,
  );
  await Switch.run(async (sw) => assertStrictEquals(await listener.accept(sw), flow));
});

test("mockListener() has an address and options", () => {
  assertEquals(mockListener("listener").address, tcp("127.0.0.1", 50001));
  const listener = mockListener("listener", { address: unix("/run/x") });
  assertEquals(listener.address, unix("/run/x"));
  listener.setOption("TCP_NODELAY", true);
  assertEquals(listener.getOption("TCP_NODELAY"), true);
  assertEquals(listener.log, ["listener: set TCP_NODELAY true", "listener: get TCP_NODELAY"]);
  assertThrows(() => mockListener("listener", { address: "x" as never }), TypeError);
  assertThrows(() => listener.onAccept({ return: {} as never }), TypeError, "must be a StreamSocket");
});

test("mockListener() works with runServer() and mockNet(): an echo server and all that it does, in order", async () => {
  const net = mockNet();
  const { log } = net;
  const listener = mockListener("listener", { log });
  const [one, two] = ["one", "two"].map((label, i) => mockFlow(label, { log, peer: tcp("10.0.0.1", i + 1) }));
  net.onListen({ return: listener });
  const stop = Promise.withResolvers<void>();
  listener.onAccept({ return: one }, {
    run: async () => {
      while (!log.includes("one: closed")) await yieldNow();
      return two;
    },
  }, { run: awaitCancel });
  one.onRead({ return: "foo\n" }, { return: "bar\n" });
  two.onRead({ throw: failure });
  const errors: unknown[] = [];
  await Switch.run(async (sw) => {
    const socket = await net.listen(sw, tcp("127.0.0.1", 8080));
    await runServer(socket, (flow) => copy(flow, flow), {
      onError(error) {
        errors.push(error);
        stop.resolve();
      },
      stop: stop.promise,
      keepListening: true,
    });
  });
  assertEquals(errors, [failure]);
  assertEquals(log, [
    "net: listen on tcp:127.0.0.1:8080",
    "listener: accepted connection from tcp:10.0.0.1:1",
    'one: read "foo\\n"',
    'one: wrote "foo\\n"',
    'one: read "bar\\n"',
    'one: wrote "bar\\n"',
    "one: closed",
    "listener: accepted connection from tcp:10.0.0.1:2",
    "two: closed",
    "listener: closed",
  ]);
});

test("runServer() over a mock listener throws the error of an accept without an action", async () => {
  const listener = mockListener("listener");
  const serving = runServer(listener, () => {}, { onError: () => {} });
  await assertRejects(() => serving, TypeError, "script one with onAccept");
});

test("mockListener() works with acceptFork() and wrapListener()", async () => {
  const listener = mockListener("listener");
  const flow = mockFlow("flow");
  listener.onAccept({ return: flow }, { await: new Promise(() => {}) });
  flow.onRead({ return: "hello" });
  const clock = mockClock({ autoAdvance: true });
  await Switch.run(async (sw) => {
    const wrapped = wrapListener(listener, {});
    await acceptFork(sw, wrapped, (connection) => copy(connection, connection), { onError: (error) => sw.fail(error) });
    await assertRejects(() => withTimeout(clock, 10, () => wrapped.accept(sw)), TimeoutError);
  });
  assertEquals(flow.log, ['flow: read "hello"', 'flow: wrote "hello"', "flow: closed"]);
});

test("MockNet.listen() tells a mock listener its address", async () => {
  const net = mockNet();
  const [free, fixed] = [mockListener("free"), mockListener("fixed", { address: tcp("::1", 9) })];
  net.onListen({ return: free }, { return: fixed });
  await Switch.run(async (sw) => {
    assertEquals((await net.listen(sw, unix("/run/x"))).address, unix("/run/x"));
    assertEquals((await net.listen(sw, tcp("127.0.0.1", 0))).address, tcp("::1", 9));
    assertEquals(openCounts().listeners, 2);
  });
  assertEquals(openCounts().listeners, 0);
  assertEquals(free.log, ["free: closed"]);
});

test("MockListener errors of accepting reach onAcceptError of runServer(), which pauses on the mock's clock", async () => {
  const clock = mockClock({ autoAdvance: true });
  const net = mockNet({ clock });
  const listener = mockListener("listener");
  net.onListen({ return: listener });
  const seen: unknown[] = [];
  const stop = Promise.withResolvers<void>();
  const error = new NetError("too_many_open_files", { operation: "accept" });
  const accept = Array.from({ length: 10 }, () => ({ throw: error }));
  listener.onAccept(...accept, { run: awaitCancel });
  await Switch.run(async (sw) => {
    await runServer(await net.listen(sw, tcp("127.0.0.1", 80)), () => {}, {
      onError: () => {},
      onAcceptError(error) {
        if (seen.push(error) === accept.length) stop.resolve();
      },
      stop: stop.promise,
    });
  });
  assertEquals([seen, clock.now()], [accept.map(() => error), 2275]);
});

test("runServer() over a mock listener cancels its handlers after grace on the mock's clock", async () => {
  const clock = mockClock({ autoAdvance: true });
  const listener = mockListener("listener", { clock });
  const stop = Promise.withResolvers<void>();
  listener.onAccept({ return: mockFlow("flow") }, { run: awaitCancel });
  await runServer(listener, () => {
    stop.resolve();
    return awaitCancel();
  }, { onError: () => {}, stop: stop.promise, grace: 60_000 });
  assertEquals(clock.now(), 60_000);
});

test("runServer() over a mock listener that is closed while every slot is taken is a ClosedError", async () => {
  const listener = mockListener("listener");
  listener.onAccept({ return: mockFlow("flow") });
  const serving = runServer(listener, () => {
    listener.close();
    return awaitCancel();
  }, { onError: () => {}, maxConnections: 1 });
  await assertRejects(() => serving, ClosedError);
});
