// Copyright 2026 the Sluice authors. MIT license.

/** The client `pg` over our sockets, against a PostgreSQL. */
import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { once } from "node:events";
import pg from "pg";
import { interruptible, type Net, NetError, type StreamAddress, Switch, TimeoutError, withTimeout } from "../../mod.ts";
import { ClosedError } from "../../flow/mod.ts";
import { toDuplex } from "../../flow/node/mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { withNet } from "../net/_helpers.ts";
import { login, postgres, postgresPeers, startPostgres, withSlowQuery } from "./_postgres.ts";

/** What a client is told to connect over `net`, in `sw`. */
function over(net: Net, sw: Switch, address: StreamAddress): pg.ClientConfig {
  return { ...login, stream: () => toDuplex(() => net.connect(sw, address), { sw, allowHalfOpen: false }) };
}

/** Runs `fn` with a client that has connected, and ends it. */
function withClient(
  fn: (client: pg.Client, sw: Switch, net: Net) => Promise<void>,
  options: object = {},
): Promise<void> {
  return withNet(async (sw, net) => {
    const client = new pg.Client({ ...over(net, sw, (await postgres()).address), ...options });
    await client.connect();
    await fn(client, sw, net);
    await client.end();
    await until(() => openCounts().sockets === 0);
  });
}

test("toDuplex() carries a query of pg, and closes when the client ends", () =>
  withClient(async (client) => {
    const { rows } = await client.query("select $1::int + 1 as sum, $2::text as text", [41, "grüße"]);
    assertEquals(rows, [{ sum: 42, text: "grüße" }]);
  }), { peers: postgresPeers });

test("toDuplex() carries pg over a Unix socket", () =>
  withNet(async (sw, net) => {
    const client = new pg.Client(over(net, sw, (await postgres()).path));
    await client.connect();
    assertEquals((await client.query("select inet_client_addr() as address")).rows, [{ address: null }]);
    await client.end();
  }), { peers: postgresPeers });

test(
  "toDuplex() carries a large result and a large parameter of pg, byte for byte",
  () =>
    withClient(async (client) => {
      const { rows } = await client.query("select repeat(md5(i::text), 32) as text from generate_series(1, 8192) i");
      const texts = rows.map(({ text }) => text);
      assertEquals(texts.length, 8192);
      texts.forEach((text, i) => assertStrictEquals(text, md5(String(i + 1)).repeat(32)));
      const all = texts.join("");
      const answer = await client.query("select md5($1::text) as hash, length($1::text) as length", [all]);
      assertEquals(answer.rows, [{ hash: md5(all), length: 8 << 20 }]);
    }),
  { peers: postgresPeers },
);

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}

test("toDuplex() carries a pipeline of pg, in order", () =>
  withClient(async (client) => {
    const answers = Array.from({ length: 200 }, (_, i) => client.query("select $1::int as i", [i]));
    assertEquals((await Promise.all(answers)).map(({ rows }) => rows[0].i), answers.map((_, i) => i));
  }, { pipeline: true }), { peers: postgresPeers });

test("toDuplex() carries notifications to an idle client of pg", () =>
  withClient(async (client, sw, net) => {
    const other = new pg.Client(over(net, sw, (await postgres()).address));
    await other.connect();
    await client.query("listen news");
    const heard = once(client, "notification");
    await other.query("notify news, 'hello'");
    assertEquals((await heard)[0].payload, "hello");
    await other.end();
  }), { peers: postgresPeers });

test("toDuplex() leaves an error of a query with the query, and pg goes on", () =>
  withClient(async (client) => {
    const error = await assertRejects(() => client.query("select 1 / 0"), pg.DatabaseError);
    assertEquals(error.code, "22012");
    assertEquals((await client.query("select 1 as one")).rows, [{ one: 1 }]);
  }), { peers: postgresPeers });

test(
  "toDuplex() lets a caller of pg be cancelled, and the connection serves the others",
  () =>
    withClient((client, _, net) =>
      withSlowQuery(async (query, answer) => {
        const slow = () => interruptible(client.query(query));
        const others = Promise.all([1, 2, 3].map((i) => client.query("select $1::int as i", [i])));
        await assertRejects(() => withTimeout(net.clock, 20, slow), TimeoutError);
        assertEquals((await others).map(({ rows }) => rows[0].i), [1, 2, 3]);
        await answer();
        assertEquals((await client.query("select 4 as i")).rows, [{ i: 4 }]);
      }), { pipeline: true }),
  { peers: postgresPeers },
);

test("toDuplex() ends a client of pg that is still open with its switch, and its query too", async () => {
  const name = "sluice-forgotten";
  let client: pg.Client | undefined;
  let slow: Promise<unknown> | undefined;
  await withClient(async (watcher, _, net) => {
    const sessions = async () => {
      const { rows } = await watcher.query("select from pg_stat_activity where application_name = $1", [name]);
      return rows.length;
    };
    await Switch.run(async (sw) => {
      client = new pg.Client({ ...over(net, sw, (await postgres()).address), application_name: name });
      client.on("error", () => {}); // which pg asks of everybody
      await client.connect();
      assertEquals([await sessions(), openCounts().sockets], [1, 2]);
      slow = assertRejects(() => (client as pg.Client).query("select pg_sleep(60)"), ClosedError);
    });
    assertEquals(openCounts().sockets, 1);
    await slow;
    await assertRejects(() => (client as pg.Client).query("select 1"));
    while (await sessions() > 0);
  });
}, { peers: postgresPeers });

test("toDuplex() tells an idle client of pg that its switch has ended by 'error' and 'end'", async () => {
  const events: unknown[] = [];
  await withNet(async (sw, net) => {
    const client = new pg.Client(over(net, sw, (await postgres()).address));
    client.on("error", (error) => events.push(error.name)).on("end", () => events.push("end"));
    await client.connect();
  });
  await until(() => events.includes("end"));
  assertEquals(events, ["ClosedError", "Error", "end"]); // the second is of pg's own making
}, { peers: postgresPeers });

test("toDuplex() fails what a client of pg waits for when the server dies, and nothing else", async () => {
  await using server = await startPostgres();
  await withNet(async (sw, net) => {
    const clients = [0, 1].map(() => new pg.Client(over(net, sw, server.address)));
    const [busy, idle] = clients;
    const errors: unknown[] = [];
    idle.on("error", (error) => errors.push(error));
    busy.on("error", () => {}); // it may come after the answer to the query
    const ended = clients.map((client) => new Promise<void>((resolve) => client.once("end", resolve)));
    await Promise.all(clients.map((client) => client.connect()));
    const asked = assertRejects(() => busy.query("select pg_sleep(60)"), Error);
    await server.stop();
    await asked;
    await Promise.all(ended);
    assertEquals(errors.every((error) => error instanceof Error) && errors.length > 0, true);
    await until(() => openCounts().sockets === 0);
    const late = new pg.Client(over(net, sw, server.address));
    const refused = await assertRejects(() => late.connect(), Error) as NodeJS.ErrnoException;
    assertEquals(refused.code, "ECONNREFUSED"); // what retry loops look for
    assertInstanceOf(refused.cause, NetError);
  });
}, { peers: postgresPeers });
