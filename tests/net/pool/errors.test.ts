// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "node:net";
import {
  awaitCancel,
  copyString,
  isCancelled,
  MultipleErrors,
  NetError,
  readAll,
  runServer,
  Switch,
  tcp,
  yieldNow,
} from "../../../mod.ts";
import { finish, type PoolConnection, poolHandler, proceed, runPool } from "../../../net/pool/mod.ts";
import { serverMonitor, timeLimits } from "../../../net/server/mod.ts";
import { memoryNet, mockClock } from "../../../net/testing/mod.ts";
import { outcomeOf, turns } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, withNet } from "../_helpers.ts";
import { pass } from "../server/_limits.ts";
import { none, pooling, recorder } from "./_pools.ts";

const failing = {
  connected: () => {
    throw new Error("no");
  },
};

for (const name of ["connected", "received", "posted", "timedOut", "ended", "stopping"]) {
  test(`what ${name} throws fails the connection: failed, onError, closed, the socket, each once`, async () => {
    const events: string[] = [];
    const stop = new AbortController();
    let c: PoolConnection | undefined;
    await pooling(
      recorder(events, {
        connected: (connection) => (c = connection, proceed()),
        [name]: async () => {
          await yieldNow();
          throw new Error(name);
        },
        failed: (_, error) => events.push(`failed ${(error as Error).message}`),
        closed: async () => {
          await yieldNow();
          events.push("closed");
        },
      }),
      none,
      async ({ connect, pass }) => {
        const client = await connect();
        const end = outcomeOf(() => readAll(client)).then(() => events.push("socket"));
        await pass(0);
        if (name === "received") await copyString("x", client);
        if (name === "posted") c?.post("x");
        if (name === "timedOut") await pass(60_000);
        if (name === "ended") await client.shutdown("send");
        if (name === "stopping") stop.abort();
        await pass(0);
        await end;
      },
      {
        onError: (error) => events.push(`onError ${(error as Error).message}`),
        stop: stop.signal,
      },
    );
    assertEquals(events, [`failed ${name}`, `onError ${name}`, "closed", "socket"]);
  });
}

test("a reset of the peer fails the connection, once", async () => {
  const events: string[] = [];
  const errors = await pooling(recorder(events), none, async ({ connect, pass }) => {
    const client = await connect();
    await pass(0);
    client.abort();
    await pass(0);
  });
  assertEquals(errors.map((error) => (error as NetError).code), ["connection_reset"]);
  assertEquals(events.map((event) => event.split(" ")[0]), ["connected", "failed", "closed"]);
  assert(String(errors[0]).includes("(handling connection from tcp:"), String(errors[0]));
});

test("a reset is told once, also if a callback did not await its write", async () => {
  const events: string[] = [];
  const errors = await pooling(
    recorder(events, {
      connected(c) {
        c.write(new Uint8Array(1_000_000));
        return proceed();
      },
    }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await pass(0);
      client.abort();
      await pass(0);
    },
  );
  assertEquals(errors.map((error) => (error as NetError).code), ["connection_reset"]);
  assertEquals(events.map((event) => event.split(" ")[0]), ["failed", "closed"]);
});

test("what failed and closed throw goes to onError, in order", async () => {
  const order: string[] = [];
  await pooling(
    recorder([], {
      ...failing,
      failed: () => {
        throw new Error("failed");
      },
      closed: () => {
        order.push("closed");
        throw new Error("closed");
      },
    }),
    none,
    async ({ connect }) => void await outcomeOf(async () => await readAll(await connect())),
    { onError: (error) => order.push(`onError ${(error as Error).message}`) },
  );
  assertEquals(order, ["onError no", "onError failed", "closed", "onError closed"]);
});

test("the other connections go on", async () => {
  let first = true;
  await pooling(
    {
      connected(c) {
        if (!first) return c.write("hi").then(finish);
        first = false;
        throw new Error("no");
      },
      received: () => proceed(),
    },
    none,
    async ({ connect, errors }) => {
      await outcomeOf(async () => await readAll(await connect()));
      assertEquals((await readAll(await connect())).length, 2);
      assertEquals(errors.length, 1);
    },
  );
});

test("what onError throws ends the pool: the other connections are cancelled and closed", async () => {
  const events: string[] = [];
  const net = memoryNet({ clock: mockClock() });
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const outcome = outcomeOf(() =>
      runPool(
        listener,
        recorder(events, {
          received: () => {
            throw new Error("no");
          },
        }),
        {
          state: none,
          onError: (error) => {
            throw new Error(`pool: ${(error as Error).message}`);
          },
        },
      )
    );
    await net.connect(sw, listener.address);
    const client = await net.connect(sw, listener.address);
    await turns(3);
    await copyString("x", client);
    assertEquals(String(await outcome), "Error: pool: no");
  });
  assertEquals(events, ["connected", "connected", "failed no", "closed", "closed"]);
});

test("state() that throws is an error of the connection, without callbacks", async () => {
  const events: string[] = [];
  const errors = await pooling(recorder(events), () => {
    throw new Error("no state");
  }, async ({ connect }) => void await outcomeOf(async () => await readAll(await connect())));
  assertEquals([events, errors.map(String)], [[], ["Error: no state"]]);
});

test("a cancelled connection is closed without failed, shielded from the cancellation", async () => {
  const events: string[] = [];
  const net = memoryNet({ clock: mockClock() });
  const errors: unknown[] = [];
  const outcome = await outcomeOf(() =>
    Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 80));
      sw.fork(() =>
        runPool(
          listener,
          recorder(events, {
            received: () => awaitCancel(),
            closed: async () => {
              events.push(`closed ${isCancelled()}`);
              await yieldNow();
              events.push("closed slowly");
            },
          }),
          { state: none, onError: (error) => errors.push(error) },
        )
      );
      await net.connect(sw, listener.address);
      const busy = await net.connect(sw, listener.address);
      await copyString("x", busy);
      await turns(3);
      sw.fail(new Error("over"));
    })
  );
  assertEquals([String(outcome), errors], ["Error: over", []]);
  assertEquals(events.slice(2).sort(), ["closed false", "closed false", "closed slowly", "closed slowly"]);
});

test("poolHandler() without onError throws to the server, once, after closed", async () => {
  const events: string[] = [];
  const clock = mockClock();
  const net = memoryNet({ clock });
  const monitor = serverMonitor();
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const handler = poolHandler(recorder(events, failing), { state: none });
    sw.forkDaemon(() =>
      runServer(listener, handler, { monitor, onError: (error) => events.push(`onError ${(error as Error).message}`) })
    );
    await outcomeOf(async () => await readAll(await net.connect(sw, listener.address)));
    await turns(3);
  });
  assertEquals(events, ["failed no", "closed", "onError no"]);
  assertEquals([monitor.failed, monitor.accepted], [1, 1]);
});

test("poolHandler() throws all of its errors to the server, and what its onError throws", async () => {
  for (
    const onError of [undefined, (error: unknown) => {
      throw error;
    }]
  ) {
    const errors: unknown[] = [];
    const net = memoryNet({ clock: mockClock() });
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 80));
      const handler = poolHandler(
        recorder([], {
          ...failing,
          closed: () => {
            throw new Error("closed");
          },
        }),
        { state: none, onError },
      );
      sw.forkDaemon(() => runServer(listener, handler, { onError: (error) => errors.push(error) }));
      await outcomeOf(async () => await readAll(await net.connect(sw, listener.address)));
    });
    assertEquals(errors.length, 1);
    assert(errors[0] instanceof MultipleErrors);
    assertEquals(errors[0].errors.map((error) => (error as Error).message), ["no", "closed"]);
  }
});

test("poolHandler() with onError tells only that, and a monitor counts the failure", async () => {
  const told: string[] = [];
  const monitor = serverMonitor();
  const net = memoryNet({ clock: mockClock() });
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const handler = poolHandler(recorder(told, failing), {
      state: none,
      onError: (error, { peer }) => told.push(`own ${(error as Error).message} ${peer.transport}`),
    });
    sw.forkDaemon(() => runServer(listener, handler, { monitor, onError: () => told.push("server") }));
    await outcomeOf(async () => await readAll(await net.connect(sw, listener.address)));
  });
  assertEquals(told, ["failed no", "own no tcp", "closed"]);
  assertEquals(monitor.failed, 1);
});

test("a time limit around poolHandler() cancels it: closed, without failed, and one error", async () => {
  const events: string[] = [];
  const errors: unknown[] = [];
  const clock = mockClock();
  const net = memoryNet({ clock });
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const handler = timeLimits(clock, { lifetime: 1000 }, poolHandler(recorder(events), { state: none }));
    sw.forkDaemon(() => runServer(listener, handler, { onError: (error) => errors.push(error) }));
    await net.connect(sw, listener.address);
    await pass(clock, 1000);
  });
  assertEquals(events, ["connected", "closed"]);
  assertEquals(errors.map((error) => (error as NetError).code), ["connection_timeout"]);
});

test("runPool() over sockets reports a reset once, and closes", async () => {
  await withNet(async (sw, net) => {
    const events: string[] = [];
    const listener = await net.listen(sw, anyPort);
    const stop = new AbortController();
    const pool = sw.forkPromise(() =>
      runPool(listener, recorder(events), {
        state: none,
        onError: (error) => events.push(`onError ${(error as NetError).code}`),
        stop: stop.signal,
      })
    );
    const client = connect(listener.address.port, "127.0.0.1").on("error", () => {});
    client.write("x");
    while (events.length < 2) await yieldNow();
    client.resetAndDestroy();
    while (events.length < 5) await yieldNow();
    stop.abort();
    assertEquals(await pool, undefined);
    assertEquals([...events.slice(0, 2), ...events.slice(3)], [
      "connected",
      "received x",
      "onError connection_reset",
      "closed",
    ]);
    await assertRejects(() => net.connect(sw, listener.address), NetError);
  });
});
