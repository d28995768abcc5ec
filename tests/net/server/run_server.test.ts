// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import {
  awaitCancel,
  Cancelled,
  ClosedError,
  copyString,
  first,
  type ListeningSocket,
  NetError,
  runServer,
  type RunServerOptions,
  Semaphore,
  type StreamSocket,
  Switch,
  yieldNow,
} from "../../../mod.ts";
import { mockClock, mockFlow, type MockListener, mockListener } from "../../../net/testing/mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { fakeListener } from "../_fake_provider.ts";
import { anyPort, microtasks, rethrow, signal, withNet } from "../_helpers.ts";

const failing = { throw: new NetError("too_many_open_files", { operation: "accept" }) };

/** Returns a listener that accepts connections called 1 to `count`, and then no more. */
function listenerOf(count: number): MockListener {
  const listener = mockListener("listener");
  for (let i = 1; i <= count; i++) listener.onAccept({ return: mockFlow(String(i), { log: listener.log }) });
  listener.onAccept({ run: awaitCancel });
  return listener;
}

test("runServer() serves many clients, each in a fiber of its own", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const stop = new AbortController();
    const server = sw.forkPromise(() =>
      runServer(listener, (flow) => copyString("hello", flow), { onError: rethrow, stop: stop.signal })
    );
    const replies = await Promise.all(Array.from({ length: 20 }, async () => {
      const flow = await net.connect(sw, listener.address);
      const buffer = new Uint8Array(16);
      const count = await flow.read(buffer);
      return [textOf(buffer.subarray(0, count!)), await flow.read(buffer)];
    }));
    assertEquals(replies, Array(20).fill(["hello", null]));
    stop.abort();
    await server;
  });
});

test("runServer() continues after a handler has thrown, and its slot is free again", async () => {
  const errors: unknown[] = [];
  const stop = new AbortController();
  const problem = new Error("Cannot serve");
  await runServer(listenerOf(3), () => Promise.reject(problem), {
    onError: (error) => errors.push(error) === 3 && stop.abort(),
    maxConnections: 1,
    stop: stop.signal,
  });
  assertEquals(errors, [problem, problem, problem]);
});

test("runServer() survives whatever a handler throws", async () => {
  const refuse = () => {
    throw new Error("Cannot be asked");
  };
  const problem = new NetError("connection_reset", { operation: "read" });
  const thrown = [
    new Proxy({}, { getPrototypeOf: refuse, get: refuse }),
    new Proxy(new Error(), { getPrototypeOf: refuse, get: refuse }),
    new Proxy(problem, {}),
    Object.freeze(new NetError("connection_reset", { operation: "read" })),
    Object.create(null),
    Symbol("odd"),
    undefined,
  ];
  const errors: unknown[] = [];
  const stop = new AbortController();
  let count = 0;
  const handler = () => {
    throw thrown[count++];
  };
  const onError = (error: unknown) => errors.push(error) === thrown.length && stop.abort();
  await runServer(listenerOf(thrown.length), handler, { onError, stop: stop.signal });
  assert(errors.every((error, i) => error === thrown[i]));
});

test("runServer() accepts no more connections than maxConnections", async () => {
  const listener = listenerOf(3);
  const finish = [signal(), signal(), signal()];
  let running = 0;
  const handler = () => finish[running++].promise;
  const stop = new AbortController();
  const server = runServer(listener, handler, { onError: rethrow, maxConnections: 2, stop: stop.signal });
  for (let i = 0; i < 5; i++) await yieldNow();
  assertEquals([running, listener.log.length], [2, 2]);
  finish[0].resolve();
  while (running < 3) await yieldNow();
  finish.forEach(({ resolve }) => resolve());
  stop.abort();
  await server;
});

test("runServer() fails when onError throws, and cancels its handlers", async () => {
  const listener = listenerOf(2);
  let count = 0;
  const handler = () => ++count === 1 ? awaitCancel() : Promise.reject(new Error("Cannot serve"));
  await assertRejects(() => runServer(listener, handler, { onError: rethrow }), Error, "Cannot serve");
  assertEquals(listener.log.slice(2).sort(), ["1: closed", "2: closed"]);
});

test("runServer() without stop cancels its handlers when a sibling throws, and the sibling's error surfaces", async () => {
  const listener = listenerOf(2);
  const failed = Switch.run(async (sw) => {
    sw.fork(() => runServer(listener, () => awaitCancel(), { onError: rethrow }));
    while (listener.log.length < 2) await yieldNow();
    sw.fork(() => Promise.reject(new Error("Cannot go on")));
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(listener.log.slice(2).sort(), ["1: closed", "2: closed"]);
});

test("runServer() that is cancelled reports nothing", async () => {
  const reported: unknown[] = [];
  await first(
    () => runServer(listenerOf(1), () => awaitCancel(), { onError: (error) => reported.push(error) }),
    yieldNow,
  );
  assertEquals(reported, []);
});

test("runServer() closes its listener when it stops", async () => {
  const listener = listenerOf(0);
  await runServer(listener, () => {}, { onError: rethrow, stop: Promise.resolve() });
  assertEquals(listener.log, ["listener: closed"]);
  await Switch.run((sw) => assertRejects(() => listener.accept(sw), ClosedError));
});

test("runServer() closes its listener while it waits for its handlers", async () => {
  const listener = listenerOf(1);
  const stop = signal();
  const finish = signal();
  const server = runServer(listener, () => finish.promise, { onError: rethrow, stop: stop.promise });
  while (listener.log.length < 1) await yieldNow();
  stop.resolve();
  for (let i = 0; i < 5; i++) await yieldNow();
  assertEquals(listener.log.slice(1), ["listener: closed"]);
  finish.resolve();
  await server;
  assertEquals(listener.log.slice(2), ["1: closed"]);
});

test("runServer() that is cancelled leaves its listener to its owner", async () => {
  const listener = listenerOf(0);
  const outer = new AbortController();
  const server = Switch.run(() => runServer(listener, () => {}, { onError: rethrow }), { signal: outer.signal });
  await yieldNow();
  outer.abort();
  await assertRejects(() => server, Cancelled);
  assertEquals(listener.log, []);
});

test("runServer() with keepListening leaves the listener open", async () => {
  const listener = mockListener("listener");
  const late = Promise.withResolvers<StreamSocket>();
  listener.onAccept({ await: late.promise });
  await runServer(listener, () => {}, { onError: rethrow, stop: Promise.resolve(), keepListening: true });
  late.resolve(mockFlow("late"));
  await Switch.run((sw) => listener.accept(sw));
  assertEquals(listener.log, ["listener: accepted connection from tcp:127.0.0.1:50002"]);
});

test("runServer() whose listener is closed is a ClosedError, and cancels its handlers", async () => {
  const listener = listenerOf(1);
  const server = assertRejects(() => runServer(listener, () => awaitCancel(), { onError: rethrow }), ClosedError);
  while (listener.log.length < 1) await yieldNow();
  await listener.close();
  await server;
  assertEquals(listener.log.slice(1), ["listener: closed", "1: closed"]);
});

test("runServer() survives errors of accepting, and backs off from 5 ms to 1 s", async () => {
  const clock = mockClock({ autoAdvance: true });
  const listener = mockListener("listener", { clock });
  const stop = signal();
  const times: number[] = [];
  listener.onAccept(...Array(11).fill(failing), { return: mockFlow("flow") }, { run: awaitCancel });
  const onAcceptError = () => times.push(clock.now());
  await runServer(listener, () => stop.resolve(), { onError: rethrow, onAcceptError, stop: stop.promise });
  const waits = times.slice(1).map((time, i) => time - times[i]);
  assertEquals(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
});

test("runServer() begins at 5 ms again after a connection", async () => {
  const clock = mockClock({ autoAdvance: true });
  const listener = mockListener("listener", { clock });
  const stop = signal();
  const times: number[] = [];
  const [one, two] = ["one", "two"].map((label) => ({ return: mockFlow(label) }));
  listener.onAccept(failing, failing, one, failing, two, { run: awaitCancel });
  await runServer(listener, () => void (times.push(clock.now()) === 2 && stop.resolve()), {
    onError: rethrow,
    onAcceptError: () => {},
    stop: stop.promise,
  });
  assertEquals(times, [15, 20]);
});

test("runServer() holds no slot while it backs off", async () => {
  const listener = mockListener("listener", { clock: mockClock({ autoAdvance: true }) });
  const stop = signal();
  listener.onAccept(failing, failing, failing, { return: mockFlow("flow") }, { run: awaitCancel });
  const options = { onError: rethrow, onAcceptError: () => {}, maxConnections: 1, stop: stop.promise };
  await runServer(listener, () => stop.resolve(), options);
});

test("runServer() reports an error of accepting to onError where there is no onAcceptError", async () => {
  const listener = mockListener("listener");
  listener.onAccept(failing);
  const error = await assertRejects(() => runServer(listener, () => {}, { onError: rethrow }), NetError);
  assertEquals(error.code, "too_many_open_files");
});

test("runServer() reports once for each burst that connections are reset", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const errors: NetError[] = [];
    const stop = new AbortController();
    const onAcceptError = (error: unknown) => errors.push(error as NetError);
    const server = runServer(listener, () => {}, { onError: rethrow, onAcceptError, stop: stop.signal });
    await microtasks();
    for (const lost of [3, 2]) {
      system.overflow(lost);
      await microtasks();
      system.overflow(1); // the same burst: nothing was accepted since
      await microtasks();
      system.arrive();
      await microtasks();
    }
    stop.abort();
    await server;
    assertEquals(errors.map(({ code }) => code), ["quota_exceeded", "quota_exceeded"]);
    assertMatch(String(errors[0].cause), /: 3 up to now/);
    assertMatch(String(errors[1].cause), /: 6 up to now/);
  });
});

test("runServer() reports connections that are reset while every slot is taken", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const reported = signal();
    const stop = new AbortController();
    const options = { onError: () => reported.resolve(), maxConnections: 1, stop: stop.signal, grace: 0 };
    const server = runServer(listener, () => awaitCancel(), options);
    system.arrive();
    await microtasks();
    system.overflow(1);
    await reported.promise;
    stop.abort();
    await server;
  });
});

test("runServer() whose listener is closed while every slot is taken is a ClosedError", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const options = { onError: rethrow, maxConnections: 1 };
    const server = assertRejects(() => runServer(listener, () => awaitCancel(), options), ClosedError);
    system.arrive();
    await microtasks();
    await listener.close();
    await server;
  });
});

const refusals: [string, Partial<RunServerOptions>, typeof TypeError | typeof RangeError][] = [
  ["maxConnections 0", { maxConnections: 0 }, RangeError],
  ["maxConnections -1", { maxConnections: -1 }, RangeError],
  ["maxConnections 1.5", { maxConnections: 1.5 }, RangeError],
  ["maxConnections NaN", { maxConnections: NaN }, RangeError],
  ["maxConnections of text", { maxConnections: "9" as unknown as number }, RangeError],
  ["grace -1", { grace: -1 }, RangeError],
  ["grace NaN", { grace: NaN }, RangeError],
  ["grace of text", { grace: "9" as unknown as number }, TypeError],
  ["a stop that is no promise", { stop: {} as Promise<never> }, TypeError],
  ["a stop that is null", { stop: null as unknown as AbortSignal }, TypeError],
  ["an onError that is no function", { onError: 1 as unknown as () => void }, TypeError],
  ["an onAcceptError that is no function", { onAcceptError: 1 as unknown as () => void }, TypeError],
];

for (const [what, options, expected] of refusals) {
  test(`runServer() refuses ${what} before it accepts`, async () => {
    await Switch.run(async (sw) => {
      const { listener, system } = await fakeListener(sw);
      system.arrive();
      await assertRejects(() => runServer(listener, () => {}, { onError: rethrow, ...options }), expected);
      assertEquals(system.queue.length, 1);
    });
  });
}

test("runServer() accepts a listener that is a plain object", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const structural = { address: listener.address, accept: (own: Switch) => listener.accept(own) };
    const served = signal();
    const stop = new AbortController();
    const options = { onError: rethrow, stop: stop.signal };
    const server = runServer(structural as ListeningSocket, () => served.resolve(), options);
    system.arrive();
    await served.promise;
    stop.abort();
    await server;
  });
});

test("runServer() begins nothing in a cancelled scope", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    const failed = Switch.run(async (inner) => {
      inner.fail(new Error("Cannot go on"));
      const error = await runServer(listener, () => {}, { onError: rethrow }).catch((error) => error);
      assertInstanceOf(error, Cancelled);
    });
    await assertRejects(() => failed, Error, "Cannot go on");
    assert(system.queue.length === 1);
  });
});

test("runServer() draws from a Semaphore, which can be resized while it runs", async () => {
  const listener = listenerOf(4);
  const limit = new Semaphore(1);
  const finish = [signal(), signal(), signal(), signal()];
  let running = 0;
  const stop = new AbortController();
  const handler = () => finish[running++].promise;
  const server = runServer(listener, handler, { onError: rethrow, maxConnections: limit, stop: stop.signal });
  const settle = async () => {
    for (let i = 0; i < 5; i++) await yieldNow();
  };
  await settle();
  assertEquals(running, 1);
  limit.resize(3);
  await settle();
  assertEquals(running, 3);
  limit.resize(1); // ends nothing, and admits none until one is left
  finish[0].resolve();
  finish[1].resolve();
  await settle();
  assertEquals([running, limit.available], [3, 0]);
  finish[2].resolve();
  await settle();
  assertEquals(running, 4);
  finish[3].resolve();
  stop.abort();
  await server;
  assertEquals(limit.available, 1);
});

test("runServer(): several servers share one Semaphore, and return what they took", async () => {
  const limit = new Semaphore(3);
  const finish = signal();
  let running = 0;
  const handler = () => {
    running++;
    return finish.promise;
  };
  const stop = new AbortController();
  const options = { onError: rethrow, maxConnections: limit, stop: stop.signal };
  const servers = [listenerOf(3), listenerOf(3)].map((listener) => runServer(listener, handler, options));
  for (let i = 0; i < 5; i++) await yieldNow();
  assertEquals([running, limit.available], [3, 0]);
  limit.resize(4);
  for (let i = 0; i < 5; i++) await yieldNow();
  assertEquals(running, 4);
  finish.resolve();
  stop.abort();
  await Promise.all(servers);
  assertEquals(limit.available, 4);
});

test("runServer(): an idle server holds a permit of a shared Semaphore, and returns it when it is cancelled", async () => {
  const limit = new Semaphore(2);
  const failed = Switch.run(async (sw) => {
    sw.fork(() => runServer(listenerOf(0), () => {}, { onError: rethrow, maxConnections: limit }));
    for (let i = 0; i < 3; i++) await yieldNow();
    assertEquals(limit.available, 1);
    throw new Error("Cannot go on");
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(limit.available, 2);
});

test("runServer() waits while a shared Semaphore has no permits, and stops", async () => {
  const listener = listenerOf(1);
  const limit = new Semaphore(0);
  const stop = new AbortController();
  const server = runServer(listener, () => {}, { onError: rethrow, maxConnections: limit, stop: stop.signal });
  for (let i = 0; i < 3; i++) await yieldNow();
  assertEquals(listener.log, []);
  stop.abort();
  await server;
});
