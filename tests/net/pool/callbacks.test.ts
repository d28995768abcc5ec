// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { copyString, readAll, Switch, tcp } from "../../../mod.ts";
import {
  finish,
  type PoolConnection,
  type PoolHandler,
  poolHandler,
  proceed,
  runPool,
  switchTo,
} from "../../../net/pool/mod.ts";
import { memoryNet, mockClock, socketPair } from "../../../net/testing/mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { signal } from "../_helpers.ts";
import { none, pooling, recorder, talk } from "./_pools.ts";

const unchecked = (value: unknown) => value as never;

test("runPool() calls connected, received and ended in order, and closed last", async () => {
  const events: string[] = [];
  const ended = signal();
  const errors = await pooling(
    recorder(events, {
      ended: () => {
        events.push("ended");
        return finish();
      },
      closed: () => {
        events.push("closed");
        ended.resolve();
      },
    }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await copyString("one", client);
      await pass(0);
      await copyString("two", client);
      await pass(0);
      await client.shutdown("send");
      await ended.promise;
    },
  );
  assertEquals([events, errors], [["connected", "received one", "received two", "ended", "closed"], []]);
});

test("runPool() with received alone ends when the peer does, and passes posts by", async () => {
  let c: PoolConnection | undefined;
  const errors = await pooling(
    {
      async received(connection, bytes) {
        c = connection;
        await connection.write(bytes);
        return proceed();
      },
    },
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      assertEquals(await talk(client, "hello"), "hello");
      assertEquals(c?.post("nothing"), true);
      await pass(0);
      assertEquals(await talk(client, "again"), "again");
      await client.shutdown("send");
      assertEquals((await readAll(client)).length, 0);
      await pass(0);
      assertEquals(c?.post("late"), false);
    },
  );
  assertEquals(errors, []);
});

test("proceed() sets the state of the next callback, and keeps it by default", async () => {
  const states: number[] = [];
  await pooling<number>(
    {
      connected: (_, state) => (states.push(state), proceed({ state: state + 1 })),
      received: (_, bytes, state) => (states.push(state), proceed(bytes[0] === 43 ? { state: state + 10 } : {})),
      closed: (_, state) => states.push(state),
    },
    () => 1,
    async ({ connect, pass }) => {
      const client = await connect();
      for (const byte of ["+", "-", "+"]) {
        await copyString(byte, client);
        await pass(0);
      }
      await client.shutdown("send");
      await pass(0);
    },
  );
  assertEquals(states, [1, 2, 12, 12, 22]);
});

test("runPool() makes a state for each connection", async () => {
  let made = 0;
  const seen: number[] = [];
  await pooling<number>(
    {
      connected: (_, state) => (seen.push(state), proceed()),
      received: () => proceed(),
    },
    () => made++,
    async ({ connect, pass }) => {
      for (let i = 0; i < 3; i++) await connect();
      await pass(0);
    },
  );
  assertEquals(seen, [0, 1, 2]);
});

test("runPool() never runs two callbacks of one connection at the same time", async () => {
  let running = 0;
  let calls = 0;
  const gates: (() => void)[] = [];
  const slow = async () => {
    assertEquals(++running, 1);
    calls++;
    await new Promise<void>((resolve) => gates.push(resolve));
    running--;
    return proceed();
  };
  const connections: PoolConnection[] = [];
  const stop = new AbortController();
  const errors = await pooling(
    recorder([], {
      connected: (c) => (connections.push(c), proceed()),
      received: slow,
      posted: slow,
      timedOut: slow,
      stopping: slow,
      ended: slow,
    }, connections),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      await copyString("x", client);
      await pass(0);
      for (let i = 0; i < 20; i++) {
        connections[0].post(i);
        if (i < 10) await copyString("y", client);
        if (i === 10) stop.abort();
        if (i === 15) await client.shutdown("send");
        await pass(1000);
        gates.shift()?.();
      }
      while (calls < 24) {
        await pass(1000);
        gates.shift()?.();
      }
      client.abort();
      for (let i = 0; i < 5; i++) {
        await pass(0);
        gates.shift()?.();
      }
    },
    { receiveTimeout: 10, stop: stop.signal, grace: 1_000_000 },
  ).catch((error) => [error]);
  assert(errors.every((error) => !(error instanceof Error) || error.name !== "AssertionError"), String(errors));
  assert(calls >= 24);
});

test("runPool() passes received bytes of its own, which the callback may keep and change", async () => {
  const kept: Uint8Array[] = [];
  await pooling(
    recorder([], { received: (_, bytes) => (kept.push(bytes), proceed()) }),
    none,
    async ({ connect, pass }) => {
      const client = await connect();
      for (const text of ["one", "two"]) {
        await copyString(text, client);
        await pass(0);
        kept[0].fill(33);
      }
    },
  );
  assertEquals(kept.map(textOf), ["!!!", "two"]);
});

test("PoolConnection has the addresses, the times on the clock, and no protocol without TLS", async () => {
  const connections: PoolConnection[] = [];
  await pooling(recorder([], {}, connections), none, async ({ connect, pass }) => {
    await pass(1000);
    const client = await connect();
    await pass(5);
    const [{ peer, local, protocol, acceptedAt, connectedAt }] = connections;
    assertEquals([peer, local, protocol], [client.local, client.peer, undefined]);
    assertEquals([acceptedAt, connectedAt], [1000, 1000]);
  });
});

test("PoolConnection.write() writes texts and bytes in order", async () => {
  await pooling(
    recorder([], {
      async connected(c) {
        await c.write("a", Uint8Array.of(98), "", "ç");
        return finish();
      },
    }),
    none,
    async ({ connect }) => assertEquals(textOf(await readAll(await connect())), "abç"),
  );
});

test("PoolConnection.write() refuses what is neither, and a callback without an answer fails", async () => {
  const errors = await pooling(
    recorder([], {
      connected: async (c) => {
        await assertRejects(() => c.write(unchecked(1)), TypeError, "Cannot write 1");
        return unchecked(undefined);
      },
    }),
    none,
    async ({ connect }) => void await readAll(await connect()),
  );
  assertEquals(errors.map(String), [
    "TypeError: Cannot go on as connected must return proceed(), finish() or switchTo(): current value is undefined",
  ]);
});

test("runPool(), poolHandler() and the answers check their arguments", async () => {
  const good = { received: () => proceed() };
  const state = none;
  const bad: [unknown, unknown, RegExp][] = [
    [1, { state }, /handler must be an object/],
    [{}, { state }, /received must be a function/],
    [{ ...good, closed: 1 }, { state }, /closed must be a function/],
    [good, {}, /state must be a function/],
    [good, undefined, /state must be a function/],
    [good, { state, receiveTimeout: 0 }, /receiveTimeout must be > 0/],
    [good, { state, sendTimeout: -1 }, /sendTimeout must be >= 0/],
    [good, { state, maxBuffer: 1.5 }, /maxBuffer must be a whole number/],
    [good, { state, clock: {} }, /clock must be a Clock/],
    [good, { state, onError: 1 }, /onError must be a function/],
  ];
  await Switch.run(async (sw) => {
    const listener = await memoryNet({ clock: mockClock() }).listen(sw, tcp("127.0.0.1", 80));
    for (const [handler, options, message] of bad) {
      const error = assertThrows(() => poolHandler(unchecked(handler), unchecked(options)), Error);
      assert(message.test(error.message), error.message);
      const onError = typeof options === "object" && options !== null && "onError" in options ? {} : { onError: none };
      const given = unchecked(typeof options === "object" ? { ...onError, ...options } : options);
      const other = await assertRejects(() => runPool(listener, unchecked(handler), given), Error);
      assert(message.test(other.message), other.message);
    }
    for (const more of [{ overload: "drop" }, { maxConnections: 0 }, { grace: -1 }, { onError: 1 }]) {
      const given = unchecked({ state, onError: none, ...more });
      await assertRejects(() => runPool(listener, good, given), Error, Object.keys(more)[0]);
    }
  });
  assertThrows(() => proceed({ timeout: -1 }), RangeError, "timeout");
  assertThrows(() => proceed({ timeout: NaN }), RangeError, "timeout");
  assertThrows(() => proceed(unchecked(1)), TypeError, "options");
  assertThrows(() => switchTo(unchecked({}), undefined), TypeError, "received");
});

test("poolHandler() calls callbacks as methods of the handler", async () => {
  class Greeter implements PoolHandler<undefined> {
    readonly name = "Ada";
    async connected(c: PoolConnection) {
      await c.write(this.name);
      return finish();
    }
    received() {
      return proceed();
    }
  }
  const [client, server] = socketPair();
  await Switch.run(async (sw) => {
    const handler = poolHandler(new Greeter(), { state: none });
    await handler(server, server.peer, { sw, stopping: new AbortController().signal });
    await server.close();
    assertEquals(textOf(await readAll(client)), "Ada");
  });
});
