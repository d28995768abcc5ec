// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { copyString, NetError, readAll, runServer, Switch, tcp } from "../../../mod.ts";
import { finish, type PoolConnection, poolHandler, proceed, switchTo } from "../../../net/pool/mod.ts";
import { memoryNet, mockClock } from "../../../net/testing/mod.ts";
import { outcomeOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { pass } from "../server/_limits.ts";
import { none, pooling, recorder } from "./_pools.ts";

const big = new Uint8Array(1_000_000);

test("receiveTimeout is 60 s by default, and finishes a connection whose peer is silent", async () => {
  const errors = await pooling({ received: () => proceed() }, none, async ({ connect, pass }) => {
    const client = await connect();
    let ended = false;
    const reading = readAll(client).then(() => ended = true);
    await pass(59_999);
    assertEquals(ended, false);
    await pass(1);
    await reading;
  });
  assertEquals(errors, []);
});

test("receiveTimeout calls timedOut again and again, and input starts it anew", async () => {
  const events: string[] = [];
  await pooling(recorder(events), none, async ({ connect, pass }) => {
    const client = await connect();
    await pass(999);
    await copyString("a", client);
    await pass(999);
    assertEquals(events, ["connected", "received a"]);
    await pass(1);
    assertEquals(events.length, 3);
    await pass(1000);
    assertEquals(events.slice(2), ["timedOut", "timedOut"]);
  }, { receiveTimeout: 1000 });
});

test("a message does not extend receiveTimeout, even if one always waits", async () => {
  const events: string[] = [];
  const connections: PoolConnection[] = [];
  await pooling(
    recorder(events, {
      posted(c) {
        if (!events.includes("timedOut")) c.post("again");
        return proceed();
      },
    }, connections),
    none,
    async ({ connect, pass }) => {
      await connect();
      await pass(600);
      connections[0].post("first");
      await pass(399);
      assertEquals(events, ["connected"]);
      await pass(1);
      assertEquals(events, ["connected", "timedOut"]);
    },
    { receiveTimeout: 1000 },
  );
});

test("proceed({ timeout }) sets the next wait only, also from posted", async () => {
  const events: string[] = [];
  const connections: PoolConnection[] = [];
  await pooling(
    recorder(events, {
      connected: (c) => (connections.push(c), proceed({ timeout: 10 })),
      posted: () => proceed({ timeout: 20 }),
    }),
    none,
    async ({ connect, pass }) => {
      await connect();
      await pass(10);
      assertEquals(events, ["timedOut"]);
      await pass(999);
      assertEquals(events.length, 1);
      connections[0].post(1);
      await pass(0);
      await pass(19);
      assertEquals(events.length, 1);
      await pass(1);
      assertEquals(events.length, 2);
    },
    { receiveTimeout: 1000 },
  );
});

test("a longer timeout replaces a shorter one that is running", async () => {
  const events: string[] = [];
  const connections: PoolConnection[] = [];
  await pooling(
    recorder(events, {
      connected: (c) => (connections.push(c), proceed({ timeout: 10 })),
      posted: () => proceed({ timeout: Infinity }),
    }),
    none,
    async ({ connect, pass }) => {
      await connect();
      await pass(0);
      connections[0].post(1);
      await pass(0);
      await pass(1_000_000);
      assertEquals(events, []);
    },
  );
});

test("input that has arrived before a late timer counts", async () => {
  const events: string[] = [];
  await pooling(recorder(events), none, async ({ connect, pass, clock }) => {
    const client = await connect();
    await pass(0);
    const writing = copyString("x", client);
    clock.setTime(5000);
    await writing;
    await pass(0);
    assertEquals(events, ["connected", "received x"]);
  }, { receiveTimeout: 1000 });
});

test("timedOut can switch to another handler", async () => {
  const events: string[] = [];
  await pooling(
    recorder(events, { timedOut: () => switchTo(recorder(events), undefined) }),
    none,
    async ({ connect, pass }) => {
      await connect();
      await pass(0);
      await pass(1000);
      await pass(1000);
      assertEquals(events, ["connected", "connected", "timedOut"]);
    },
    { receiveTimeout: 1000 },
  );
});

for (const read of ["receive", "readExact", "peek"] as const) {
  test(`PoolConnection.${read}() fails with connection_timeout after receiveTimeout, and consumes nothing`, async () => {
    let outcome: unknown;
    const events: string[] = [];
    const errors = await pooling(
      recorder(events, {
        async connected(c) {
          outcome = await outcomeOf(() => c[read](read === "receive" ? undefined as never : 4));
          return proceed();
        },
      }),
      none,
      async ({ connect, pass }) => {
        const client = await connect();
        await pass(0);
        if (read !== "receive") await copyString("abc", client);
        await pass(999);
        assertEquals(outcome, undefined);
        await pass(1);
        assert(outcome instanceof NetError, String(outcome));
        assertEquals(outcome.code, "connection_timeout");
        assertEquals(events, read === "receive" ? [] : ["received abc"]);
      },
      { receiveTimeout: 1000 },
    );
    assertEquals(errors, []);
  });
}

test("sendTimeout resets a connection whose peer takes nothing: the write fails, then failed and onError", async () => {
  const events: string[] = [];
  let caught: unknown;
  const errors = await pooling(
    recorder(events, {
      async connected(c) {
        caught = await outcomeOf(() => c.write(big));
        throw caught;
      },
    }),
    none,
    async ({ connect, pass, errors }) => {
      const client = await connect();
      await pass(0);
      await pass(999);
      assertEquals(errors, []);
      await pass(1000); // when the timer was set, the write could still make progress
      assertEquals(errors, [caught]);
      await assertRejects(() => readAll(client), NetError, "reset");
    },
    { sendTimeout: 1000 },
  );
  assert(caught instanceof NetError && caught.code === "connection_timeout", String(caught));
  assertEquals(errors, [caught]);
  assertEquals(events.map((event) => event.split(" ")[0]), ["failed", "closed"]);
});

test("sendTimeout is 30 s by default, and a peer that takes some bytes makes progress", async () => {
  const errors = await pooling(
    {
      async connected(c) {
        await c.write(big);
        return finish();
      },
      received: () => proceed(),
    },
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      const buffer = new Uint8Array(100_000);
      let size = 0;
      while (size < big.length) {
        await pass(29_000);
        size += await client.read(buffer) ?? big.length;
      }
    },
  );
  assertEquals(errors, []);
});

test("sendTimeout fails a connection whose callback does not await the write, once", async () => {
  const errors = await pooling(
    {
      connected(c) {
        c.write(big).catch(() => {});
        return proceed({ timeout: Infinity });
      },
      received: () => proceed(),
    },
    none,
    async ({ connect, pass }) => {
      await connect();
      for (let i = 0; i < 4; i++) await pass(1000);
    },
    { sendTimeout: 1000 },
  );
  assertEquals(errors.map((error) => (error as NetError).code), ["connection_timeout"]);
});

test("poolHandler() takes the clock of the listener's network, or the one that it is given", async () => {
  for (const own of [undefined, mockClock()]) {
    const clock = mockClock();
    const net = memoryNet({ clock });
    const events: string[] = [];
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 80));
      const handler = poolHandler(recorder(events), { state: none, receiveTimeout: 1000, clock: own });
      sw.forkDaemon(() => runServer(listener, handler, { onError: (error) => sw.fail(error) }));
      await net.connect(sw, listener.address);
      await pass(clock, 1000);
      assertEquals(events.length, own === undefined ? 2 : 1);
      await pass(own ?? clock, 1000);
    });
    assertEquals(events.includes("timedOut"), true);
  }
});
