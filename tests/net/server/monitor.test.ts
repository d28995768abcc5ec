// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  awaitCancel,
  Cancelled,
  ClosedError,
  type ConnectionHandler,
  copy,
  copyString,
  formatAddress,
  type ListeningSocket,
  type Net,
  NetError,
  readAll,
  readExact,
  runServer,
  type RunServerOptions,
  Switch,
  tcp,
} from "../../../mod.ts";
import { perPeer, type ServerMonitor, serverMonitor, timeLimits } from "../../../net/server/mod.ts";
import { memoryNet, type MockClock, mockClock, mockListener } from "../../../net/testing/mod.ts";
import { outcomeOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { fakeListener } from "../_fake_provider.ts";
import { microtasks, rethrow, signal } from "../_helpers.ts";
import { pass, settled } from "./_limits.ts";

interface Watched {
  readonly monitor: ServerMonitor;
  readonly clock: MockClock;
  readonly net: Net;
  readonly sw: Switch;
  readonly listener: ListeningSocket;
}

/** Runs `fn` with a monitor, and a listener in memory whose time is that of a mock clock. */
async function watched(fn: (watched: Watched) => Promise<unknown>): Promise<void> {
  const clock = mockClock();
  const net = memoryNet({ clock });
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    await fn({ monitor: serverMonitor(), clock, net, sw, listener });
  });
}

/** The counts of a monitor. */
function counts({ accepted, active, failed, dropped, acceptErrors }: ServerMonitor): Record<string, number> {
  return { accepted, active, failed, dropped, acceptErrors };
}

const none = { accepted: 0, active: 0, failed: 0, dropped: 0, acceptErrors: 0 };
const byte = new Uint8Array(1);

test("serverMonitor() tells the state of a server, and reports at its end", async () => {
  await watched(async ({ monitor, clock, net, sw, listener }) => {
    assertEquals([monitor.state, monitor.report, counts(monitor)], ["idle", undefined, none]);
    const stop = new AbortController();
    const finish = signal();
    const server = sw.forkPromise(() =>
      runServer(listener, () => finish.promise, { onError: rethrow, stop: stop.signal, monitor })
    );
    assertEquals(monitor.state, "serving");
    const clients = [await net.connect(sw, listener.address), await net.connect(sw, listener.address)];
    await clients[1].close();
    await settled();
    assertEquals(counts(monitor), { ...none, accepted: 2, active: 2 });
    stop.abort();
    await settled();
    assertEquals([monitor.state, monitor.report], ["draining", undefined]);
    await pass(clock, 250);
    finish.resolve();
    await clients[0].close();
    await server;
    assertEquals(monitor.state, "stopped");
    assertEquals(monitor.report, { served: 2, drained: 2, forced: 0, milliseconds: 250 });
    assertEquals(monitor.active, 0);
  });
});

test("serverMonitor() tells forced connections from drained and failed ones", async () => {
  await watched(async ({ monitor, clock, net, sw, listener }) => {
    const stop = new AbortController();
    const finish = signal();
    let served = 0;
    const handler = async () => {
      if (served++ === 0) return await finish.promise;
      await outcomeOf(awaitCancel);
      throw new Error("Cannot be stopped"); // forced, and not a failure
    };
    const errors: unknown[] = [];
    const server = sw.forkPromise(() =>
      runServer(listener, handler, { onError: (e) => errors.push(e), stop: stop.signal, grace: 1000, monitor })
    );
    for (let i = 0; i < 3; i++) await net.connect(sw, listener.address);
    await settled();
    stop.abort();
    await settled();
    finish.resolve();
    await pass(clock, 500);
    await pass(clock, 500);
    await server;
    assertEquals(errors.length, 2);
    assertEquals(monitor.failed, 0);
    const { milliseconds, ...report } = monitor.report!;
    assertEquals(report, { served: 3, drained: 1, forced: 2 });
    assert(milliseconds >= 1000, String(milliseconds));
  });
});

test("serverMonitor() counts handlers that fail, once each, and not those that are cancelled", async () => {
  await watched(async ({ monitor, net, sw, listener }) => {
    let served = 0;
    const handler = () => {
      if (served++ === 0) throw new Cancelled();
      throw new Error("Cannot serve");
    };
    sw.forkDaemon(() => runServer(listener, handler, { onError: () => {}, monitor }));
    for (let i = 0; i < 3; i++) await readAll(await net.connect(sw, listener.address));
    await settled();
    assertEquals(counts(monitor), { ...none, accepted: 3, failed: 2 });
  });
});

test("serverMonitor() counts what perPeer() resets as dropped, and not as failed", async () => {
  await watched(async ({ monitor, net, sw, listener }) => {
    let reported = 0;
    const handler = timeLimits(mockClock(), {}, perPeer(1, (connection) => copy(connection, connection)));
    sw.forkDaemon(() => runServer(listener, handler, { onError: () => reported++, monitor }));
    await net.connect(sw, listener.address);
    for (let i = 0; i < 3; i++) await outcomeOf(async () => await (await net.connect(sw, listener.address)).read(byte));
    await settled();
    assertEquals(counts(monitor), { ...none, accepted: 4, active: 1, dropped: 3 });
    assertEquals(reported, 1);
  });
});

test("serverMonitor() counts errors of accepting", async () => {
  const listener = mockListener("listener");
  listener.onAccept({ throw: new NetError("too_many_open_files", { operation: "accept" }) }, { run: awaitCancel });
  const monitor = serverMonitor();
  const stop = new AbortController();
  await runServer(listener, () => {}, { onError: () => stop.abort(), stop: stop.signal, monitor });
  assertEquals(counts(monitor), { ...none, acceptErrors: 1 });
});

test("serverMonitor() shows each connection, its bytes and what it waits in", async () => {
  await watched(async ({ monitor, clock, net, sw, listener }) => {
    const handler: ConnectionHandler = (connection, _, { sw }) => {
      sw.fork(() => clock.sleep(60_000));
      return copy(connection, connection);
    };
    sw.forkDaemon(() => runServer(listener, handler, { onError: () => {}, monitor }));
    await pass(clock, 40);
    const client = await net.connect(sw, listener.address);
    await copyString("hello", client);
    await readExact(client, new Uint8Array(5));
    await pass(clock, 2);
    const other = await net.connect(sw, listener.address);
    await settled();
    const [first, second] = monitor.connections();
    assertEquals([first.id, first.peer, first.local], [1, client.local, client.peer]);
    assertEquals([first.openedAt, first.bytesIn, first.bytesOut], [40, 5, 5]);
    assertEquals(first.waiting, [`read ${formatAddress(client.local)}`, "sleep until 60040 ms"]);
    assertEquals([second.id, second.openedAt, second.bytesIn, second.bytesOut], [2, 42, 0, 0]);
    assertEquals(monitor.connections().length, 2);
    client.abort();
    other.abort();
    await settled();
  });
});

test("serverMonitor() is stopped also when the server fails, is cancelled or was never begun", async () => {
  for (const end of ["fails", "cancelled"]) {
    await watched(async ({ monitor, net, sw, listener }) => {
      const handler = () => end === "fails" ? Promise.reject(new Error("Cannot serve")) : awaitCancel();
      await outcomeOf(() =>
        Switch.run(async (inner) => {
          inner.fork(() => runServer(listener, handler, { onError: rethrow, monitor }));
          await net.connect(sw, listener.address);
          await settled();
          inner.fail(new Cancelled());
        })
      );
      assertEquals(monitor.state, "stopped");
      const { served, drained, forced } = monitor.report!;
      assertEquals([served, drained, forced], [1, 0, end === "fails" ? 0 : 1]);
      assertEquals(monitor.failed, end === "fails" ? 1 : 0);
    });
  }
  await watched(async ({ monitor, sw, listener }) => {
    await listener.close();
    await assertRejects(() => runServer(listener, () => {}, { onError: rethrow, monitor }), ClosedError);
    assertEquals(monitor.state, "stopped");
    const outcome = await outcomeOf(() =>
      Switch.run(async (inner) => {
        inner.fail(new Cancelled());
        await runServer(listener, () => {}, { onError: rethrow, monitor });
      })
    );
    assert(outcome instanceof Cancelled);
    assertEquals(monitor.state, "stopped");
    sw.check();
  });
});

test("serverMonitor() sums over several servers, and drains from when the first is told to stop", async () => {
  await watched(async ({ monitor, net, sw, listener }) => {
    const second = await net.listen(sw, tcp("127.0.0.1", 81));
    const stops = [new AbortController(), new AbortController()];
    const servers = [listener, second].map((each, i) =>
      sw.forkPromise(() =>
        runServer(each, (flow) => copy(flow, flow), { onError: rethrow, stop: stops[i].signal, monitor })
      )
    );
    const clients = [await net.connect(sw, listener.address), await net.connect(sw, second.address)];
    await settled();
    assertEquals(counts(monitor), { ...none, accepted: 2, active: 2 });
    stops[0].abort();
    await settled();
    assertEquals(monitor.state, "draining");
    for (const client of clients) await client.close();
    await servers[0];
    assertEquals([monitor.state, monitor.report], ["serving", undefined]);
    stops[1].abort();
    await servers[1];
    assertEquals(monitor.state, "stopped");
    assertEquals(monitor.report!.served, 2);
  });
});

test("runServer() refuses a monitor that serverMonitor() has not made", async () => {
  const listener = mockListener("listener");
  for (const monitor of [{}, null, 5, { ...serverMonitor() }] as never[]) {
    const options: RunServerOptions = { onError: rethrow, monitor };
    await assertRejects(() => runServer(listener, () => {}, options), TypeError, "serverMonitor()");
  }
});

test("serverMonitor() cannot be changed", () => {
  const monitor = serverMonitor();
  assertThrows(() => Object.assign(monitor, { state: "serving" }), TypeError);
  assertEquals(Object.isFrozen(monitor.connections()), true);
});

test("serverMonitor() counts connections that a full backlog resets, also after the end", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.overflow(2); // before the server: not its own
    const monitor = serverMonitor();
    const stop = new AbortController();
    const server = runServer(listener, () => {}, { onError: () => {}, stop: stop.signal, monitor });
    await microtasks();
    assertEquals(monitor.dropped, 0);
    system.overflow(3);
    assertEquals(monitor.dropped, 3);
    stop.abort();
    await server;
    system.overflow(1);
    assertEquals(counts(monitor), { ...none, dropped: 3 });
  });
});
