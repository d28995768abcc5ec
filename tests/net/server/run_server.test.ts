// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects } from "@std/assert";
import { awaitCancel, Cancelled, ClosedError, copyString, first, NetError, runServer, Switch } from "../../../mod.ts";
import type { ListeningSocket, RunServerOptions } from "../../../mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { fakeListener, FakeStream } from "../_fake_provider.ts";
import { anyPort, called, emfile, microtasks, rethrow, signal, withNet } from "../_helpers.ts";

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
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const errors: unknown[] = [];
    const stop = new AbortController();
    const problem = new Error("Cannot serve");
    const options = { onError: (error: unknown) => errors.push(error), maxConnections: 1, stop: stop.signal };
    const server = runServer(listener, () => Promise.reject(problem), options);
    for (let i = 1; i <= 3; i++) {
      system.arrive();
      await called(() => errors.length === i);
    }
    stop.abort();
    await server;
    assertEquals(errors, [problem, problem, problem]);
  });
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
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const errors: unknown[] = [];
    const stop = new AbortController();
    let count = 0;
    const handler = () => {
      throw thrown[count++];
    };
    const server = runServer(listener, handler, { onError: (error) => errors.push(error), stop: stop.signal });
    for (let i = 1; i <= thrown.length; i++) {
      system.arrive();
      await called(() => errors.length === i);
    }
    stop.abort();
    await server;
    assert(errors.every((error, i) => error === thrown[i]));
  });
});

test("runServer() accepts no more connections than maxConnections", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const finish = [signal(), signal(), signal()];
    let running = 0;
    const handler = () => finish[running++].promise;
    const stop = new AbortController();
    const server = runServer(listener, handler, { onError: rethrow, maxConnections: 2, stop: stop.signal });
    for (let i = 0; i < 3; i++) system.arrive();
    await microtasks();
    assertEquals([running, system.queue.length], [2, 1]);
    finish[0].resolve();
    await called(() => running === 3);
    finish.forEach(({ resolve }) => resolve());
    stop.abort();
    await server;
  });
});

test("runServer() fails when onError throws, and cancels its handlers", async () => {
  const waiting = new FakeStream();
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    let count = 0;
    const handler = () => ++count === 1 ? awaitCancel() : Promise.reject(new Error("Cannot serve"));
    const server = runServer(listener, handler, { onError: rethrow });
    system.arrive(waiting);
    system.arrive();
    await assertRejects(() => server, Error, "Cannot serve");
  });
  assertEquals(waiting.state, "aborted");
});

test("runServer() without stop cancels its handlers when a sibling throws, and the sibling's error surfaces", async () => {
  const streams = [new FakeStream(), new FakeStream()];
  const failed = Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    sw.fork(() => runServer(listener, () => awaitCancel(), { onError: rethrow }));
    streams.forEach((stream) => system.arrive(stream));
    await microtasks();
    sw.fork(() => Promise.reject(new Error("Cannot go on")));
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(streams.map(({ state }) => state), ["aborted", "aborted"]);
});

test("runServer() that is cancelled reports nothing", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    const reported: unknown[] = [];
    await first(
      () => runServer(listener, () => awaitCancel(), { onError: (error) => reported.push(error) }),
      () => microtasks(),
    );
    assertEquals(reported, []);
  });
});

test("runServer() closes its listener when it stops", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    await runServer(listener, () => {}, { onError: rethrow, stop: Promise.resolve() });
    assertEquals(system.closes, 1);
    await assertRejects(() => listener.accept(sw), ClosedError);
  });
});

test("runServer() closes its listener while it waits for its handlers", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stop = signal();
    const finish = signal();
    const server = runServer(listener, () => finish.promise, { onError: rethrow, stop: stop.promise });
    const stream = system.arrive();
    await microtasks();
    stop.resolve();
    await microtasks();
    assertEquals([system.closes, stream.state], [1, "open"]);
    finish.resolve();
    await server;
  });
});

test("runServer() that is cancelled leaves its listener to its owner", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const outer = new AbortController();
    const server = Switch.run(() => runServer(listener, () => {}, { onError: rethrow }), { signal: outer.signal });
    await microtasks();
    outer.abort();
    await assertRejects(() => server, Cancelled);
    assertEquals(system.closes, 0);
  });
});

test("runServer() with keepListening leaves the listener open", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    await runServer(listener, () => {}, { onError: rethrow, stop: Promise.resolve(), keepListening: true });
    assertEquals(system.closes, 0);
    system.arrive();
    await listener.accept(sw);
  });
});

test("runServer() whose listener is closed is a ClosedError, and cancels its handlers", async () => {
  const stream = new FakeStream();
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const server = assertRejects(() => runServer(listener, () => awaitCancel(), { onError: rethrow }), ClosedError);
    system.arrive(stream);
    await microtasks();
    await listener.close();
    await server;
  });
  assertEquals(stream.state, "aborted");
});

test("runServer() survives errors of accepting, and backs off from 5 ms to 1 s", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    const errors: unknown[] = [];
    const served = signal();
    const stop = new AbortController();
    const options = { onError: rethrow, onAcceptError: (error: unknown) => errors.push(error), stop: stop.signal };
    const server = runServer(listener, () => served.resolve(), options);
    const waits: number[] = [];
    for (let i = 1; i <= 10; i++) {
      system.fail(emfile);
      await called(() => errors.length === i);
      await microtasks();
      const before = clock.now();
      clock.advance();
      waits.push(clock.now() - before);
      await microtasks();
    }
    assertEquals(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    system.arrive();
    await served.promise;
    stop.abort();
    await server;
  });
});

test("runServer() begins at 5 ms again after a connection", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    const stop = new AbortController();
    const errors: unknown[] = [];
    const options = { onError: rethrow, onAcceptError: (error: unknown) => errors.push(error), stop: stop.signal };
    const server = runServer(listener, () => {}, options);
    for (const _ of [1, 2]) {
      system.fail(emfile);
      await microtasks();
      const before = clock.now();
      clock.advance();
      assertEquals(clock.now() - before, 5);
      system.arrive();
      await microtasks();
    }
    stop.abort();
    await server;
  });
});

test("runServer() holds no slot while it backs off", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    const served = signal();
    const stop = new AbortController();
    const options = { onError: rethrow, onAcceptError: () => {}, maxConnections: 1, stop: stop.signal };
    const server = runServer(listener, () => served.resolve(), options);
    for (let i = 0; i < 3; i++) {
      system.fail(emfile);
      await microtasks();
      clock.advance();
      await microtasks();
    }
    system.arrive();
    await served.promise;
    stop.abort();
    await server;
  });
});

test("runServer() reports an error of accepting to onError where there is no onAcceptError", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const server = runServer(listener, () => {}, { onError: rethrow });
    system.fail(emfile);
    const error = await assertRejects(() => server, NetError);
    assertEquals(error.code, "too_many_open_files");
  });
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
