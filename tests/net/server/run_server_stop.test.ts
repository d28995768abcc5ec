// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { getEventListeners } from "node:events";
import { awaitCancel, Cancelled, runServer, Switch } from "../../../mod.ts";
import { test } from "../../_test.ts";
import { fakeListener, FakeStream } from "../_fake_provider.ts";
import { called, microtasks, rethrow, signal } from "../_helpers.ts";

test("runServer() waits for running handlers after stop, and returns the value of stop", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stop = signal<string>();
    const finish = signal();
    const streams = [1, 2, 3].map(() => system.arrive());
    let ended = 0;
    const handler = async () => {
      await finish.promise;
      ended++;
    };
    const server = runServer(listener, handler, { onError: rethrow, stop: stop.promise });
    await microtasks();
    stop.resolve("stopped");
    await microtasks();
    system.arrive();
    assertEquals([ended, system.queue.length], [0, 1]);
    finish.resolve();
    assertEquals(await server, "stopped");
    assertEquals([ended, ...streams.map(({ state }) => state)], [3, "closed", "closed", "closed"]);
  });
});

test("runServer() at its limit accepts no queued connection after stop", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stop = signal();
    const finish = signal();
    let served = 0;
    const handler = async () => {
      served++;
      await finish.promise;
    };
    const server = runServer(listener, handler, { onError: rethrow, maxConnections: 2, stop: stop.promise });
    for (let i = 0; i < 4; i++) system.arrive();
    await microtasks();
    stop.resolve();
    finish.resolve();
    await server;
    assertEquals([served, system.queue.length], [2, 2]);
  });
});

test("runServer() rejects as stop did, after its handlers", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stream = system.arrive();
    const stop = signal<never>();
    const finish = signal();
    const server = runServer(listener, () => finish.promise, { onError: rethrow, stop: stop.promise });
    await microtasks();
    stop.reject(new Error("Cannot go on"));
    await microtasks();
    assertEquals(stream.state, "open");
    finish.resolve();
    await assertRejects(() => server, Error, "Cannot go on");
    assertEquals(stream.state, "closed");
  });
});

test("runServer() returns undefined when stop is a signal", async () => {
  await Switch.run(async (sw) => {
    const { listener } = await fakeListener(sw);
    const stop = new AbortController();
    const server = runServer(listener, () => {}, { onError: rethrow, stop: stop.signal });
    stop.abort(new Error("The reason of a signal is not thrown"));
    assertEquals(await server, undefined);
  });
});

test("runServer() that was stopped before it began accepts nothing", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    for (const stop of [Promise.resolve(), AbortSignal.abort()]) {
      await runServer(listener, () => {}, { onError: rethrow, stop });
    }
    assertEquals(system.queue.length, 1);
  });
});

test("runServer() removes its event listener from a signal when it ends", async () => {
  await Switch.run(async (sw) => {
    const { listener } = await fakeListener(sw);
    const { signal: stop } = new AbortController();
    const listeners = () => getEventListeners(stop, "abort").length;
    const server = runServer(listener, () => {}, { onError: rethrow, stop });
    await microtasks();
    assertEquals(listeners(), 1);
    await listener.close();
    await server.catch(() => {});
    assertEquals(listeners(), 0);
  });
});

test("runServer() serves a connection that was accepted in the turn of the stop", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stop = new AbortController();
    let served = 0;
    const server = runServer(listener, () => served++, { onError: rethrow, stop: stop.signal });
    await microtasks();
    const stream = system.arrive();
    stop.abort();
    await server;
    assertEquals([served, stream.state], [1, "closed"]);
  });
});

test("runServer() leaves a connection that came right after the stop to the listener", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stop = new AbortController();
    let served = 0;
    const server = runServer(listener, () => served++, { onError: rethrow, stop: stop.signal });
    await microtasks();
    stop.abort();
    await microtasks();
    system.arrive();
    await server;
    assertEquals([served, system.queue.length], [0, 1]);
  });
});

test("runServer() cancels handlers and resets their connections when the grace is over", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    const stream = system.arrive();
    const stop = signal<number>();
    const reported: unknown[] = [];
    const options = { onError: (error: unknown) => reported.push(error), stop: stop.promise, grace: 100 };
    const server = runServer(listener, () => awaitCancel(), options);
    await microtasks();
    stop.resolve(7);
    await microtasks();
    assertEquals(stream.state, "open");
    clock.advance();
    assertEquals(await server, 7);
    assertEquals([clock.now(), stream.state, reported], [100, "aborted", []]);
  });
});

test("runServer() rejects as stop did after a forced end too", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    system.arrive();
    const stop = signal<never>();
    const server = runServer(listener, () => awaitCancel(), { onError: rethrow, stop: stop.promise, grace: 100 });
    await microtasks();
    stop.reject(new Error("Cannot go on"));
    await microtasks();
    clock.advance();
    await assertRejects(() => server, Error, "Cannot go on");
  });
});

test("runServer() with grace 0 forces its handlers to end at once", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stream = system.arrive();
    const stop = new AbortController();
    const server = runServer(listener, () => awaitCancel(), { onError: rethrow, stop: stop.signal, grace: 0 });
    await microtasks();
    stop.abort();
    await server;
    assertEquals(stream.state, "aborted");
  });
});

test("runServer() does not wait for the grace when its handlers end before", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    system.arrive();
    const stop = new AbortController();
    const finish = signal();
    const server = runServer(listener, () => finish.promise, { onError: rethrow, stop: stop.signal, grace: 100 });
    await microtasks();
    stop.abort();
    await microtasks();
    finish.resolve();
    await server;
    assertEquals(clock.tryAdvance(), false);
  });
});

test("runServer() settles well when its handlers end in the very moment in which the grace is over", async () => {
  for (let delay = 0; delay < 40; delay++) {
    await Switch.run(async (sw) => {
      const { listener, system, clock } = await fakeListener(sw);
      system.arrive();
      const stop = new AbortController();
      const finish = signal();
      const server = runServer(listener, () => finish.promise, { onError: rethrow, stop: stop.signal, grace: 100 });
      await microtasks();
      stop.abort();
      await microtasks();
      finish.resolve();
      await microtasks(delay);
      clock.tryAdvance();
      await server;
    });
  }
});

test("runServer() reports a handler that ignores its cancellation by name, and still awaits it", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    const stream = system.arrive();
    const stop = new AbortController();
    const finish = signal();
    const reported: Error[] = [];
    const options = { onError: (error: unknown) => reported.push(error as Error), stop: stop.signal, grace: 100 };
    let settled = false;
    const server = runServer(listener, () => finish.promise, options).then(() => settled = true);
    await microtasks();
    stop.abort();
    await microtasks();
    clock.advance();
    await microtasks();
    assertEquals([stream.state, reported.length], ["aborted", 0]);
    clock.advance();
    await called(() => reported.length === 1);
    assertEquals([clock.now(), settled], [1100, false]);
    assertMatch(reported[0].message, /Handler of tcp:10\.0\.0\.1:40000 is still running/);
    finish.resolve();
    await server;
    assertEquals(reported.length, 1);
  });
});

test("runServer() does not report a handler that ends while another is reported", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    for (let i = 0; i < 2; i++) system.arrive();
    const stop = new AbortController();
    const finish = signal();
    const reported: unknown[] = [];
    const onError = async (error: unknown) => {
      reported.push(error);
      finish.resolve();
      await microtasks(); // meanwhile both handlers end
    };
    const server = runServer(listener, () => finish.promise, { onError, stop: stop.signal, grace: 100 });
    await microtasks();
    stop.abort();
    await microtasks();
    clock.advance();
    await microtasks();
    clock.advance();
    await server;
    assertEquals(reported.length, 1);
  });
});

test("runServer() reports what a forced handler throws on its way out", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    system.arrive();
    const stop = new AbortController();
    const reported: unknown[] = [];
    const problem = new Error("Cannot clean up");
    const handler = () => awaitCancel().catch(() => Promise.reject(problem));
    const options = { onError: (error: unknown) => reported.push(error), stop: stop.signal, grace: 100 };
    const server = runServer(listener, handler, options);
    await microtasks();
    stop.abort();
    await microtasks();
    clock.advance();
    await server;
    assertEquals(reported, [problem]);
  });
});

test("runServer() cancels its handlers at once when its caller is cancelled during the grace", async () => {
  const stream = new FakeStream();
  const failed = Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive(stream);
    const stop = new AbortController();
    sw.fork(() => runServer(listener, () => awaitCancel(), { onError: rethrow, stop: stop.signal, grace: 100 }));
    await microtasks();
    stop.abort();
    await microtasks();
    sw.fail(new Error("Cannot wait any longer"));
  });
  await assertRejects(() => failed, Error, "Cannot wait any longer");
  assertEquals(stream.state, "aborted");
});

test("runServer() in a scope that is cancelled after a forced end is Cancelled, and not a value", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    system.arrive();
    const stop = new AbortController();
    const finish = signal();
    const outcome = signal<unknown>();
    const failed = Switch.run(async (inner) => {
      inner.fork(async () => {
        const options = { onError: rethrow, stop: stop.signal, grace: 100 };
        outcome.resolve(await runServer(listener, () => finish.promise, options).catch((error) => error));
      });
      await microtasks();
      stop.abort();
      await microtasks();
      clock.advance();
      await microtasks();
      inner.fail(new Error("Cannot go on"));
      finish.resolve();
    });
    await assertRejects(() => failed, Error, "Cannot go on");
    assert(await outcome.promise instanceof Cancelled);
  });
});

test("runServer() stops without grace only when the last handler has ended", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    system.arrive();
    const stop = new AbortController();
    const finish = signal();
    let settled = false;
    const server = runServer(listener, () => finish.promise, { onError: rethrow, stop: stop.signal })
      .then(() => settled = true);
    await microtasks();
    stop.abort();
    await microtasks();
    assertEquals([settled, clock.tryAdvance()], [false, false]);
    finish.resolve();
    await server;
  });
});
