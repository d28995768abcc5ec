// Copyright 2026 the Sluice authors. MIT license.

/** The client `undici` over our sockets, against `node:http`: over our sockets, and over its own. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
// Not just "undici": for that Bun has something of its own.
import { Agent, Client, fetch, Pool, request } from "undici/index.js";
import {
  currentSignal,
  interruptible,
  type Net,
  type StreamAddress,
  Switch,
  tcp,
  TimeoutError,
  withTimeout,
} from "../../mod.ts";
import { toDuplex } from "../../flow/node/mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { ownHost, ownPort, withNet } from "../net/_helpers.ts";
import { echoRequest, withHttp } from "./_http.ts";

/** What a client is told to connect over `net`, in `sw`. */
function over(net: Net, sw: Switch, address: StreamAddress): Pool.Options {
  return {
    connect(_, done) {
      const stream = toDuplex(() => net.connect(sw, address), { sw, allowHalfOpen: false });
      once(stream, "connect").then(() => done(null, stream), (error) => done(error, null));
    },
  };
}

const big = Buffer.from(new Uint8Array(8 << 20).map((_, i) => (i * 2654435761) >>> 13));

test("toDuplex() carries GET and POST of undici to a server over our sockets, on one connection", () =>
  withHttp(echoRequest, async (served) => {
    const client = new Client(served.origin, over(served.net, served.sw, served.address));
    for (let i = 0; i < 3; i++) {
      const got = await client.request({ path: `/${i}`, method: "GET" });
      assertEquals([got.headers["x-request"], await got.body.text()], [`GET /${i}`, ""]);
      const posted = await client.request({ path: `/${i}`, method: "POST", body: `body ${i}` });
      assertEquals([posted.headers["x-request"], await posted.body.text()], [`POST /${i}`, `body ${i}`]);
    }
    await client.close();
    assertEquals([served.connections, served.errors], [1, []]);
  }));

test("toDuplex() carries 8 MiB of undici both ways, byte for byte", () =>
  withHttp(echoRequest, async (served) => {
    const pool = new Pool(served.origin, over(served.net, served.sw, served.address));
    const { body } = await pool.request({ path: "/", method: "POST", body: big });
    assert(big.equals(Buffer.from(await body.arrayBuffer())));
    await pool.close();
    assertEquals(served.errors, []);
  }));

test("toDuplex() carries requests of undici in a pipeline", () =>
  withHttp(echoRequest, async (served) => {
    const options = { ...over(served.net, served.sw, served.address), pipelining: 10 };
    const client = new Client(served.origin, options);
    const ask = async (i: number) => (await client.request({ path: `/${i}`, method: "GET" })).headers["x-request"];
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i)));
    assertEquals(answers, answers.map((_, i) => `GET /${i}`));
    await client.close();
    assertEquals(served.connections, 1);
  }));

test("toDuplex() carries fetch() of undici through an agent", () =>
  withHttp(echoRequest, async (served) => {
    const dispatcher = new Agent(over(served.net, served.sw, served.address));
    const response = await fetch(`${served.origin}/fetched`, { method: "POST", body: "hello", dispatcher });
    assertEquals([response.headers.get("x-request"), await response.text()], ["POST /fetched", "hello"]);
    await dispatcher.close();
  }));

test("toDuplex() carries undici to a server of node:http on sockets of its own", async () => {
  const server = createServer(echoRequest).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await withNet(async (sw, net) => {
    const dispatcher = new Agent(over(net, sw, tcp("127.0.0.1", port)));
    const url = `http://127.0.0.1:${port}/raw`;
    const answers = await Promise.all(
      [1, 2, 3].map(async (i) => (await request(url, { method: "POST", body: `${i}`, dispatcher })).body.text()),
    );
    assertEquals(answers, ["1", "2", "3"]);
    await dispatcher.close();
  });
  server.close();
});

test("toDuplex() keeps the other connections of undici when a caller's timeout fires", () =>
  withHttp((request, response) => {
    if (request.url !== "/never") response.end("hello");
  }, async (served) => {
    const { net } = served;
    const pool = new Pool(served.origin, { ...over(net, served.sw, served.address), connections: 2 });
    const ask = async (path: string) =>
      await (await pool.request({ path, method: "GET", signal: currentSignal() })).body.text();
    const never = () => withTimeout(net.clock, 30, () => interruptible(ask("/never")));
    const [late, ...texts] = await Promise.all([assertRejects(never, TimeoutError), ask("/1"), ask("/2"), ask("/3")]);
    assertInstanceOf(late, TimeoutError);
    assertEquals([...texts, await ask("/4")], ["hello", "hello", "hello", "hello"]);
    await pool.close();
  }));

test("toDuplex() ends a client of undici that is still open with its switch, and its request too", () =>
  withHttp((request, response) => {
    if (request.url !== "/never") response.end("hello");
  }, async (served) => {
    let pool: Pool | undefined;
    let asked: Promise<unknown> | undefined;
    await Switch.run(async (sw) => {
      pool = new Pool(served.origin, { ...over(served.net, sw, served.address), connections: 2 });
      await (await pool.request({ path: "/", method: "GET" })).body.text();
      asked = assertRejects(() => (pool as Pool).request({ path: "/never", method: "GET" }), Error);
      await until(() => (pool as Pool).stats.running === 1);
    });
    await asked;
    await until(() => openCounts().sockets === 0);
    await assertRejects(() => (pool as Pool).request({ path: "/", method: "GET" }), Error);
    await (pool as Pool).destroy();
  }));

test("toDuplex() fails a request of undici without a listener, and when the server goes away", async () => {
  const port = ownPort();
  const server = createServer((request) => request.socket.destroy()).listen(port, ownHost);
  await once(server, "listening");
  await withNet(async (sw, net) => {
    const client = new Client(`http://${ownHost}:${port}`, over(net, sw, tcp(ownHost, port)));
    await assertRejects(() => client.request({ path: "/", method: "GET" }), Error);
    server.close();
    await once(server, "close");
    await assertRejects(() => client.request({ path: "/", method: "GET" }), Error, "ECONNREFUSED");
    await client.destroy();
  });
});

test("toDuplex() needs the package undici, which is not what Bun gives by that name", async () => {
  assertEquals((await import("undici")).Client === Client, process.versions.bun === undefined);
});
