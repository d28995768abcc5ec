// Copyright 2026 the Sluice authors. MIT license.

/** The client `ioredis` over our sockets, against a Redis. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { AbstractConnector, Redis, type RedisOptions } from "ioredis";
import { interruptible, type Net, type StreamAddress, type Switch, TimeoutError, withTimeout } from "../../mod.ts";
import { ClosedError } from "../../flow/mod.ts";
import { toDuplex } from "../../flow/node/mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { withNet } from "../net/_helpers.ts";
import { redis, startRedis } from "./_redis.ts";
import { daemonPeers } from "./_daemon.ts";

const peers = daemonPeers("redis-server");

/** What a client is told to connect over `net`, in `sw`, and to try again soon. */
function over(net: Net, sw: Switch, address: StreamAddress): RedisOptions {
  class Connector extends AbstractConnector {
    constructor() {
      super(1000); // milliseconds until a connection that does not end is destroyed
    }

    /** Rejects once `sw` has ended, which is what makes the client give up. */
    async connect() {
      this.stream = toDuplex(() => net.connect(sw, address), { sw, allowHalfOpen: false });
      return await this.stream;
    }
  }
  return { Connector, lazyConnect: true, retryStrategy: () => 10 };
}

/** Runs `fn` with a client that has connected, and ends it. */
function withClient(
  fn: (client: Redis, sw: Switch, net: Net) => Promise<void>,
  options: RedisOptions = {},
): Promise<void> {
  return withNet(async (sw, net) => {
    const client = new Redis({ ...over(net, sw, (await redis()).address), ...options });
    await client.connect();
    await fn(client, sw, net);
    await client.quit();
    await until(() => openCounts().sockets === 0);
  });
}

/** When a client has ended for good. */
function ended(client: Redis): Promise<void> {
  return new Promise((resolve) => client.once("end", resolve));
}

test("toDuplex() carries commands of ioredis, and closes when the client quits", () =>
  withClient(async (client) => {
    assertEquals(await client.set("greeting", "grüße"), "OK");
    assertEquals(await client.get("greeting"), "grüße");
    assertEquals(await client.get("nothing"), null);
    await assertRejects(() => client.incr("greeting"), Error, "not an integer");
  }), { peers });

test("toDuplex() carries a large value of ioredis both ways, byte for byte", () =>
  withClient(async (client) => {
    const value = Buffer.from(new Uint8Array(8 << 20).map((_, i) => (i * 2654435761) >>> 13));
    await client.set("large", value);
    assert(value.equals(await client.getBuffer("large") as Buffer));
  }), { peers });

test("toDuplex() carries a pipeline of ioredis, in order", () =>
  withClient(async (client) => {
    await client.del("count");
    const pipeline = client.pipeline();
    for (let i = 0; i < 5000; i++) pipeline.incr("count");
    const results = await pipeline.exec();
    assertEquals(results, Array.from({ length: 5000 }, (_, i) => [null, i + 1]));
  }), { peers });

test("toDuplex() carries what is published to a subscriber of ioredis", () =>
  withClient(async (client) => {
    const other = client.duplicate();
    await other.subscribe("news");
    const heard = new Promise((resolve) => other.once("message", (...message) => resolve(message)));
    assertEquals(await client.publish("news", "hello"), 1);
    assertEquals(await heard, ["news", "hello"]);
    await other.quit();
  }), { peers });

test(
  "toDuplex() lets a caller of ioredis be cancelled, and the connection serves the others",
  () =>
    withClient(async (client, _, net) => {
      const id = await client.client("ID");
      const other = client.duplicate();
      const slow = () => interruptible(client.blpop("nothing", 0)); // until there is something
      const late = assertRejects(() => withTimeout(net.clock, 20, slow), TimeoutError);
      const next = client.client("ID");
      await late;
      await other.rpush("nothing", "something");
      assertEquals(await next, id);
      await other.quit();
    }),
  { peers },
);

test("toDuplex() ends a client of ioredis that is still open with its switch, and its commands too", async () => {
  let client: Redis | undefined;
  let waiting: Promise<unknown> | undefined;
  const errors: Error[] = [];
  await withNet(async (sw, net) => {
    client = new Redis(over(net, sw, (await redis()).address));
    client.on("error", (error) => errors.push(error));
    await client.connect();
    waiting = assertRejects(() => (client as Redis).blpop("nothing", 60), Error);
  });
  assertEquals(openCounts().sockets, 0);
  await ended(client as Redis);
  await waiting;
  assert(errors[0] instanceof ClosedError);
  await assertRejects(() => (client as Redis).get("late"), Error, "Connection is closed");
}, { peers });

test("toDuplex() lets ioredis connect again when the server ends its connection", () =>
  withClient(async (client) => {
    const id = await client.client("ID");
    const closed = new Promise((resolve) => client.once("close", resolve));
    const other = client.duplicate();
    await other.client("KILL", "ID", id as number);
    await closed;
    assert(await client.client("ID") as number > (id as number));
    await other.quit();
  }), { peers });

test("toDuplex() fails what a client of ioredis waits for when the server dies, and nothing else", async () => {
  await using server = await startRedis();
  await withNet(async (sw, net) => {
    const client = new Redis({ ...over(net, sw, server.address), retryStrategy: () => null });
    client.on("error", () => {});
    await client.connect();
    const waiting = assertRejects(() => client.blpop("nothing", 60), Error);
    const end = ended(client);
    await server.stop();
    await waiting;
    await end;
    assertEquals(openCounts().sockets, 0);
    const errors: Error[] = [];
    const late = new Redis({ ...over(net, sw, server.address), retryStrategy: () => null });
    late.on("error", (error) => errors.push(error));
    await assertRejects(() => late.connect(), Error, "Connection is closed");
    assertEquals(errors.map((error) => (error as NodeJS.ErrnoException).code), ["ECONNREFUSED"]);
  });
}, { peers });
