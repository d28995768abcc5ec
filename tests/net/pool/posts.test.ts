// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals } from "@std/assert";
import { copyString, yieldNow } from "../../../mod.ts";
import { finish, type PoolConnection, proceed, switchTo } from "../../../net/pool/mod.ts";
import { test } from "../../_test.ts";
import { signal } from "../_helpers.ts";
import { none, pooling, recorder } from "./_pools.ts";

test("PoolConnection.post() queues messages, which are served in order", async () => {
  const events: string[] = [];
  const connections: PoolConnection[] = [];
  await pooling(recorder(events, {}, connections), none, async ({ connect, pass }) => {
    await connect();
    await pass(0);
    for (let i = 0; i < 5; i++) assertEquals(connections[0].post(i), true);
    await pass(0);
  });
  assertEquals(events.slice(1, 6), ["posted 0", "posted 1", "posted 2", "posted 3", "posted 4"]);
});

test("PoolConnection.post() can send undefined, and from the connection's own callback", async () => {
  const events: string[] = [];
  await pooling(
    recorder(events, {
      connected(c) {
        c.post(undefined);
        c.post("own");
        return proceed();
      },
    }),
    none,
    async ({ connect, pass }) => {
      await connect();
      await pass(0);
    },
  );
  assertEquals(events.slice(0, 2), ["posted undefined", "posted own"]);
});

test("messages and input take turns, whichever floods", async () => {
  const events: string[] = [];
  const connections: PoolConnection[] = [];
  await pooling(
    recorder(events, {
      async received(c, bytes) {
        events.push("received");
        await Promise.resolve(bytes);
        for (let i = 0; i < 3; i++) c.post("more");
        return proceed();
      },
      posted(c) {
        events.push("posted");
        if (events.length < 200) c.post("more");
        return proceed();
      },
    }, connections),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await pass(0);
      connections[0].post("first");
      for (let i = 0; i < 4; i++) {
        await copyString(".", client);
        for (let turn = 0; turn < 10; turn++) await yieldNow();
      }
      await pass(0);
    },
    { maxBuffer: 1 },
  );
  assertEquals(events.filter((event) => event === "received").length, 4);
  const last = events.lastIndexOf("received");
  assert(last < 100, `input waited for ${last} turns`);
});

test("input that never ends does not starve messages", async () => {
  const events: string[] = [];
  const connections: PoolConnection[] = [];
  const served = signal();
  await pooling(
    recorder(events, {
      received: () => (events.push("received"), proceed()),
      posted: () => (events.push("posted"), served.resolve(), proceed()),
    }, connections),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await pass(0);
      const writing = copyString("x".repeat(1000), client);
      connections[0].post("now");
      await served.promise;
      await writing;
      await pass(0);
    },
    { maxBuffer: 1 },
  );
  assertEquals(events.filter((event) => event === "received").length, 1000);
  assert(events.indexOf("posted") < 5, String(events.indexOf("posted")));
});

test("two connections that post to each other do not stop the event loop", async () => {
  const connections: PoolConnection[] = [];
  let rounds = 0;
  await pooling(
    recorder([], {
      posted(c) {
        rounds++;
        connections.find((other) => other !== c)?.post("ball");
        return proceed();
      },
    }, connections),
    none,
    async ({ connect, pass }) => {
      await connect();
      await connect();
      await pass(0);
      connections[0].post("ball");
      for (let i = 0; i < 50; i++) await yieldNow();
      assert(rounds > 1 && rounds < 10_000, String(rounds));
    },
  );
});

test("PoolConnection.post() returns false once the connection has ended, already in closed", async () => {
  const inClosed: boolean[] = [];
  let c!: PoolConnection;
  await pooling(
    recorder([], {
      connected: (connection) => (c = connection, proceed()),
      received: () => finish(),
      closed: (c) => inClosed.push(c.post("x")),
    }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await pass(0);
      assertEquals(c.post("x"), true);
      await copyString("end", client);
      await pass(0);
      assertEquals(c.post("x"), false);
    },
  );
  assertEquals([inClosed, c.post("x")], [[false], false]);
});

test("messages that are queued go to the handler after switchTo()", async () => {
  const events: string[] = [];
  const second = recorder(events);
  await pooling(
    recorder(events, {
      connected(c) {
        for (const message of ["one", "two", "three"]) c.post(message);
        return proceed();
      },
      posted(_, message) {
        events.push(`first got ${message}`);
        return switchTo(second, undefined);
      },
    }),
    none,
    async ({ connect, pass }) => {
      await connect();
      await pass(0);
    },
  );
  assertEquals(events.slice(0, 4), ["first got one", "connected", "posted two", "posted three"]);
});
