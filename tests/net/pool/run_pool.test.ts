// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { awaitCancel, ClosedError, copyString, NetError, readAll, Semaphore, Switch, tcp } from "../../../mod.ts";
import { finish, type PoolConnection, type PoolHandler, proceed, runPool } from "../../../net/pool/mod.ts";
import { serverMonitor } from "../../../net/server/mod.ts";
import { memoryNet, mockClock } from "../../../net/testing/mod.ts";
import { outcomeOf, turns } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, withNet } from "../_helpers.ts";
import { pass } from "../server/_limits.ts";
import { none, pooling, recorder, talk } from "./_pools.ts";

const echo: PoolHandler<undefined> = {
  async received(c, bytes) {
    await c.write(bytes);
    return proceed();
  },
};

test("runPool() returns the value of stop, after stopping was called and every connection has ended", async () => {
  const events: string[] = [];
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const stop = Promise.withResolvers<string>();
    const pool = sw.forkPromise(() =>
      runPool(listener, {
        ...echo,
        async stopping(c) {
          events.push("stopping");
          await c.write("bye");
          return finish();
        },
        closed: () => events.push("closed"),
      }, { state: none, onError: (error) => sw.fail(error), stop: stop.promise })
    );
    const client = await net.connect(sw, listener.address);
    assertEquals(await talk(client, "hello"), "hello");
    stop.resolve("SIGTERM");
    assertEquals((await readAll(client)).length, 3);
    await client.close();
    const value: string = await pool;
    assertEquals([value, events], ["SIGTERM", ["stopping", "closed"]]);
  });
});

test("runPool() rejects as stop does, and when the listener is closed", async () => {
  const net = memoryNet({ clock: mockClock() });
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const stop = Promise.reject(new Error("stopped"));
    await assertRejects(() => runPool(listener, echo, { state: none, onError: none, stop }), Error, "stopped");
    const other = await net.listen(sw, tcp("127.0.0.1", 81));
    const pool = assertRejects(() => runPool(other, echo, { state: none, onError: none }), ClosedError);
    await turns(2);
    await other.close();
    await pool;
  });
});

test("runPool() stopping is called between two callbacks, and a handler that goes on is awaited", async () => {
  const events: string[] = [];
  const stop = new AbortController();
  await pooling(
    recorder(events),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await pass(0);
      stop.abort();
      await pass(0);
      await copyString("x", client);
      await pass(0);
      assertEquals(events, ["connected", "stopping", "received x"]);
      client.abort();
      await pass(0);
    },
    { stop: stop.signal },
  );
});

test("runPool() cancels what outlives grace, without failed, and a monitor counts it as forced", async () => {
  const events: string[] = [];
  const errors: unknown[] = [];
  const clock = mockClock();
  const net = memoryNet({ clock });
  const monitor = serverMonitor();
  const stop = new AbortController();
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const pool = sw.forkPromise(() =>
      runPool(listener, recorder(events, { stopping: awaitCancel }), {
        state: none,
        onError: (error) => errors.push(error),
        stop: stop.signal,
        grace: 500,
        monitor,
      })
    );
    const client = await net.connect(sw, listener.address);
    await pass(clock, 0);
    stop.abort();
    await pass(clock, 499);
    assertEquals(events, ["connected"]);
    await pass(clock, 1);
    await pool;
    await assertRejects(() => readAll(client), NetError, "reset");
  });
  assertEquals([events, errors], [["connected", "closed"], []]);
  assertEquals([monitor.state, monitor.report?.forced, monitor.failed], ["stopped", 1, 0]);
});

test("maxConnections leaves one connection more in the backlog by default", async () => {
  const connections: PoolConnection[] = [];
  const errors = await pooling(recorder([], {}, connections), none, async ({ connect, pass }) => {
    const first = await connect();
    await connect();
    await pass(0);
    assertEquals(connections.length, 1);
    first.abort();
    await pass(0);
    assertEquals(connections.length, 2);
  }, { maxConnections: 1 });
  assertEquals(errors.map((error) => (error as NetError).code), ["connection_reset"]);
});

test("maxConnections can be a Semaphore, which is resized while the pool runs", async () => {
  const limit = new Semaphore(1);
  const connections: PoolConnection[] = [];
  await pooling(recorder([], {}, connections), none, async ({ connect, pass }) => {
    await connect();
    await connect();
    await pass(0);
    assertEquals(connections.length, 1);
    limit.resize(2);
    await pass(0);
    assertEquals(connections.length, 2);
  }, { maxConnections: limit });
  assertEquals(limit.available, 2);
});

for (const shared of [false, true]) {
  const limit = shared ? "a Semaphore" : "a number";
  test(`overload "refuse" resets one connection more than ${limit}, and reports each burst once`, async () => {
    const monitor = serverMonitor();
    const connections: PoolConnection[] = [];
    const maxConnections = shared ? new Semaphore(2) : 2;
    const errors = await pooling(
      recorder([], { received: () => finish() }, connections),
      none,
      async ({ connect, pass, errors }) => {
        const first = await connect();
        await connect();
        await pass(0);
        for (let i = 0; i < 3; i++) {
          const refused = await connect();
          await assertRejects(() => readAll(refused), NetError, "reset");
        }
        assertEquals([connections.length, monitor.dropped, errors.length], [2, 3, 1]);
        await copyString("end", first);
        await first.close();
        await pass(0);
        await connect();
        await pass(0);
        assertEquals(connections.length, 3);
        const refused = await connect();
        await outcomeOf(() => readAll(refused));
        await pass(0);
        assertEquals([monitor.dropped, monitor.failed, errors.length], [4, 0, 2]);
      },
      { maxConnections, overload: "refuse", monitor },
    );
    assertEquals(errors.map((error) => (error as NetError).code), ["quota_exceeded", "quota_exceeded"]);
    if (maxConnections instanceof Semaphore) assertEquals(maxConnections.available, 2);
  });
}

test('overload "refuse": a connection has its slot until its socket is closed', async () => {
  const connections: PoolConnection[] = [];
  await pooling(
    recorder([], { received: () => finish(), connected: (c) => (connections.push(c), c.write("."), proceed()) }),
    none,
    async ({ connect, pass }) => {
      const first = await connect();
      await copyString("end", first);
      await pass(0); // the pool waits for the client's end, for a second
      await assertRejects(async () => await readAll(await connect()), NetError);
      await pass(1000);
      await connect();
      await pass(0);
      assertEquals(connections.length, 2);
    },
    { maxConnections: 1, overload: "refuse" },
  );
});

test('overload "refuse" of a pool over sockets', async () => {
  await withNet(async (sw, net) => {
    const errors: unknown[] = [];
    const listener = await net.listen(sw, anyPort);
    sw.forkDaemon(() =>
      runPool(listener, echo, {
        state: none,
        onError: (error) => errors.push(error),
        maxConnections: 1,
        overload: "refuse",
      })
    );
    await Switch.run(async (sw) => {
      const first = await net.connect(sw, listener.address);
      assertEquals(await talk(first, "hello"), "hello");
      for (let i = 0; i < 3; i++) {
        // A reset may come before connect() has returned.
        const got = await outcomeOf(async () => (await readAll(await net.connect(sw, listener.address))).length);
        if (net.features.has("reset")) assert(got instanceof NetError, String(got));
        else assertEquals(got, 0);
      }
      assertEquals(await talk(first, "again"), "again");
      await first.shutdown("send");
      await readAll(first);
      await first.close();
      for (;;) { // until the slot is free
        const answer = await outcomeOf(async () => await talk(await net.connect(sw, listener.address), "hello"));
        if (answer === "hello") break;
      }
    });
    assert(errors.every((error) => error instanceof NetError && error.code === "quota_exceeded"), String(errors));
  });
});

test("runPool() serves a thousand connections, and a message to each", async () => {
  await withNet(async (sw, net) => {
    const members = new Set<PoolConnection>();
    const listener = await net.listen(sw, anyPort);
    const stop = new AbortController();
    const pool = sw.forkPromise(() =>
      runPool<undefined>(listener, {
        connected: async (c) => {
          members.add(c);
          await c.write(".");
          return proceed();
        },
        received: () => proceed(),
        posted: async (c, message) => {
          await c.write(String(message));
          return finish();
        },
        closed: (c) => members.delete(c),
      }, { state: none, onError: (error) => sw.fail(error), stop: stop.signal, maxConnections: 500 })
    );
    for (let round = 0; round < 4; round++) {
      await Switch.run(async (sw) => {
        const clients = await Promise.all(Array.from({ length: 250 }, () => net.connect(sw, listener.address)));
        for (const client of clients) await client.read(new Uint8Array(1));
        for (const member of members) member.post("bye");
        for (const client of clients) assertEquals((await readAll(client)).length, 3);
      });
    }
    stop.abort();
    await pool;
    assertEquals(members.size, 0);
  });
});
