// Copyright 2026 the Sluice authors. MIT license.

/** A wrapper with only the public members of a listener serves as well as the listener itself. */
import { assertEquals, assertRejects } from "@std/assert";
import { acceptFork, awaitCancel, ClosedError, first, runServer, Switch } from "../../mod.ts";
import type { ListeningSocket, NetError } from "../../mod.ts";
import { test } from "../_test.ts";
import { fakeListener, FakeStream } from "./_fake_provider.ts";
import { called, microtasks, signal } from "./_helpers.ts";

const emfile = Object.assign(new Error("accept EMFILE"), { code: "EMFILE" });
const rethrow = (error: unknown) => Promise.reject(error);

/** A minimal wrapper: the public members only. */
function plain(listener: ListeningSocket): ListeningSocket {
  return {
    address: listener.address,
    accept: (sw) => listener.accept(sw),
    close: () => listener.close(),
    setOption: (name, value) => listener.setOption(name, value),
    getOption: (name) => listener.getOption(name),
    [Symbol.asyncDispose]: () => listener.close(),
  };
}

test("runServer() of a wrapped listener backs off on the clock of its network", async () => {
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    const errors: unknown[] = [];
    const served = signal();
    const stop = new AbortController();
    const options = { onError: rethrow, onAcceptError: (error: unknown) => errors.push(error), stop: stop.signal };
    const server = runServer(plain(listener), () => served.resolve(), options);
    for (const wait of [5, 10]) {
      system.fail(emfile);
      await microtasks();
      const before = clock.now();
      clock.advance();
      assertEquals(clock.now() - before, wait);
      await microtasks();
    }
    system.arrive();
    await served.promise;
    stop.abort();
    await server;
  });
});

test("runServer() of a wrapped listener bounds its stop by grace, on the clock of its network", async () => {
  const stream = new FakeStream();
  await Switch.run(async (sw) => {
    const { listener, system, clock } = await fakeListener(sw);
    const stop = new AbortController();
    const server = runServer(plain(listener), () => awaitCancel(), {
      onError: rethrow,
      stop: stop.signal,
      grace: 3_600_000,
    });
    system.arrive(stream);
    await microtasks();
    stop.abort();
    await microtasks();
    assertEquals(stream.state, "open");
    clock.setTime(3_600_000);
    await server;
  });
  assertEquals(stream.state, "aborted");
});

test("runServer() of a wrapped listener reports connections that are reset while every slot is taken", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stop = new AbortController();
    const errors: NetError[] = [];
    const onError = (error: unknown) => errors.push(error as NetError);
    const options = { onError, maxConnections: 1, stop: stop.signal, grace: 0 };
    const server = runServer(plain(listener), () => awaitCancel(), options);
    system.arrive();
    await microtasks();
    system.overflow(1);
    await called(() => errors.length === 1);
    stop.abort();
    await server;
    assertEquals(errors.map(({ code }) => code), ["quota_exceeded"]);
  });
});

test("runServer() of a wrapped listener that is closed while every slot is taken is a ClosedError", async () => {
  const stream = new FakeStream();
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const options = { onError: rethrow, maxConnections: 1 };
    const server = assertRejects(() => runServer(plain(listener), () => awaitCancel(), options), ClosedError);
    system.arrive(stream);
    await microtasks();
    await listener.close();
    await server;
  });
  assertEquals(stream.state, "aborted");
});

test("runServer() of a wrapped listener serves what the system has established when it stops", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const stop = new AbortController();
    const gathering = signal();
    let closesBefore = -1;
    Object.assign(system, {
      async stopListening() {
        closesBefore = system.closes;
        await gathering.promise;
      },
    });
    let served = 0;
    const server = runServer(plain(listener), () => void served++, { onError: rethrow, stop: stop.signal });
    await microtasks();
    stop.abort();
    await microtasks();
    system.arrive();
    await microtasks();
    gathering.resolve();
    await server;
    assertEquals([served, closesBefore, system.closes], [1, 0, 1]);
  });
});

test("runServer() of two listeners in one serves both, and stops both", async () => {
  await Switch.run(async (sw) => {
    const both = [await fakeListener(sw), await fakeListener(sw)];
    const stopped: number[] = [];
    both.forEach(({ system }, i) =>
      Object.assign(system, {
        stopListening() {
          stopped.push(i);
          return Promise.resolve();
        },
      })
    );
    const errors: unknown[] = [];
    const stop = new AbortController();
    let turn = 0;
    let served = 0;
    const alternating = { ...plain(both[0].listener), accept: (own: Switch) => both[turn++ % 2].listener.accept(own) };
    const onAcceptError = (error: unknown) => errors.push(error);
    const server = runServer(alternating, () => void served++, { onError: rethrow, onAcceptError, stop: stop.signal });
    for (const { system } of both) {
      system.arrive();
      await microtasks();
    }
    for (const { system } of both) system.overflow(1);
    await called(() => errors.length === 2);
    stop.abort();
    await server;
    assertEquals([served, stopped], [2, [0, 1]]);
    await both[1].listener.close();
  });
});

test("acceptFork() of a foreign listener is cancelled at once, and aborts a late connection", async () => {
  await Switch.run(async (sw) => {
    const { listener } = await fakeListener(sw);
    const late = signal<Awaited<ReturnType<ListeningSocket["accept"]>>>();
    const foreign = { ...plain(listener), accept: () => late.promise };
    await first(() => acceptFork(sw, foreign, () => {}, { onError: rethrow }), () => microtasks());
    const { listener: other, system } = await fakeListener(sw);
    const stream = system.arrive();
    late.resolve(await other.accept(sw));
    await microtasks();
    assertEquals(stream.state, "aborted");
  });
});
