// Copyright 2026 the Sluice authors. MIT license.

/** Samples of clients, against real servers on loopback. */
import { assertEquals } from "@std/assert";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { test } from "../_test.ts";
import { daemonPeers } from "../runtime/_daemon.ts";
import { dnsmasq, withDnsmasq } from "../runtime/_dnsmasq.ts";
import { login, postgres } from "../runtime/_postgres.ts";
import { redis } from "../runtime/_redis.ts";
import { startSample } from "./_samples.ts";
import { withServer } from "./_server.ts";

const page = "docs/clients.md";

for (const page of ["docs/clients.md", "docs/from-eio.md"]) {
  test(`${page}: a page is fetched over a network that is an argument`, () =>
    withServer(createServer((_, response) => response.end("hello")), async (port) => {
      await using program = startSample(page, "httpGet", { "8080": String(port) });
      assertEquals(await program.end, { status: 0, errors: "" });
      assertEquals(program.output.split("\r\n\r\n")[1], "hello");
    }));
}

test("clients.md: a client tries again after a connection was cut", () => {
  let count = 0;
  return withServer((socket) => ++count < 3 ? socket.resetAndDestroy() : socket.end(`${count}`), async (port) => {
    await using program = startSample(page, "retry", { "8080": String(port), "delay: 100": "delay: 1" });
    assertEquals(await program.end, { status: 0, errors: "" });
    assertEquals(program.output, "3");
  });
});

test(
  "clients.md: services are found by a name server",
  () =>
    withDnsmasq(
      ["srv-host=_http._tcp.web.test,one.test,8081,1", "srv-host=_http._tcp.web.test,two.test,8082,2"],
      async ({ port }) => {
        await using program = startSample(page, "getServices", {
          "_http._tcp.web.default.svc.cluster.local": "_http._tcp.web.test",
          'udp("10.96.0.10", 53)': `udp("127.0.0.1", ${port})`,
        });
        assertEquals(await program.end, { status: 0, errors: "" });
        assertEquals(program.output, "one.test:8081\ntwo.test:8082\n");
      },
    ),
  { peers: [dnsmasq] },
);

test("clients.md: pg queries over a flow", async () => {
  await using program = startSample(page, "pg.Pool", {
    "5432": String((await postgres()).address.port),
    'user: "me", password: "secret"': `user: "${login.user}", password: "${login.password}"`,
  });
  assertEquals(await program.end, { status: 0, errors: "" });
  assertEquals(program.output, "42\n");
}, { peers: daemonPeers("postgres") });

test("clients.md: ioredis sets and gets over a flow", async () => {
  await using program = startSample(page, "ioredis", { "6379": String((await redis()).address.port) });
  assertEquals(await program.end, { status: 0, errors: "" });
  assertEquals(program.output, "42\n");
}, { peers: daemonPeers("redis-server") });

test("clients.md: undici, node:http and ws run over flows", () => {
  const server = createServer((_, response) => response.end("hello"));
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(String(data))));
  return withServer(server, async (port) => {
    await using program = startSample(page, "undici", { "8080": String(port) });
    assertEquals(await program.end, { status: 0, errors: "" });
    assertEquals(program.output, "undici: hello\nnode:http: hello\nws: hello\n");
  });
});
