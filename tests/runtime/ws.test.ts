// Copyright 2026 the Sluice authors. MIT license.

/** WebSockets of `ws` over our sockets: its server behind `node:http`, its client, and both against what is not ours. */
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";
import { type Net, type StreamAddress, Switch, tcp } from "../../mod.ts";
import { toDuplex } from "../../flow/node/mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { echoRequest, type Served, withHttp } from "./_http.ts";

/** Runs `fn` with a server that sends back what it is sent, over our sockets. */
function withEcho(fn: (served: Served, sockets: WebSocketServer) => Promise<void>): Promise<void> {
  return withHttp(echoRequest, async (served) => {
    const sockets = new WebSocketServer({ noServer: true });
    sockets.on("connection", (socket) => {
      socket.on("error", () => {});
      socket.on("message", (data, binary) => socket.send(data, { binary }));
    });
    served.server.on("upgrade", (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (client) => sockets.emit("connection", client, request));
    });
    await fn(served, sockets);
    assertEquals(served.errors, []);
  });
}

/** A client over `net`, in `sw`. */
function connect(net: Net, sw: Switch, address: StreamAddress): WebSocket {
  const createConnection = () => toDuplex(() => net.connect(sw, address), { sw, allowHalfOpen: false });
  return new WebSocket("ws://127.0.0.1/", { createConnection });
}

const big = Buffer.from(new Uint8Array(1 << 20).map((_, i) => (i * 2654435761) >>> 13));

test("toDuplex() carries a WebSocket of ws both ways, and its close", () =>
  withEcho(async ({ net, sw, address }) => {
    const client = connect(net, sw, address);
    await once(client, "open");
    client.send("hello");
    assertEquals(String((await once(client, "message"))[0]), "hello");
    client.ping("still there?");
    assertEquals(String((await once(client, "pong"))[0]), "still there?");
    client.close(4000, "enough");
    const [code, reason] = await once(client, "close");
    assertEquals([code, String(reason)], [4000, "enough"]);
    await until(() => openCounts().sockets === 0);
  }));

test("toDuplex() carries a WebSocket message of 1 MiB both ways, byte for byte", () =>
  withEcho(async ({ net, sw, address }) => {
    const client = connect(net, sw, address);
    await once(client, "open");
    client.send(big);
    assert(big.equals((await once(client, "message"))[0]));
    client.close();
    await once(client, "close");
  }));

test("toDuplex() carries many WebSocket messages at once, in order", () =>
  withEcho(async ({ net, sw, address }) => {
    const client = connect(net, sw, address);
    await once(client, "open");
    const heard: string[] = [];
    client.on("message", (data) => heard.push(String(data)));
    for (let i = 0; i < 1000; i++) client.send(String(i));
    await until(() => heard.length === 1000);
    assertEquals(heard, Array.from({ length: 1000 }, (_, i) => String(i)));
    client.close();
    await once(client, "close");
  }));

test("toDuplex() lets a server of ws serve the WebSocket of the runtime", () =>
  withEcho(async ({ origin }) => {
    const client = new globalThis.WebSocket(origin.replace("http:", "ws:"));
    client.binaryType = "arraybuffer";
    const next = (name: "open" | "message" | "close") =>
      new Promise<MessageEvent>((resolve) => client.addEventListener(name, resolve as never, { once: true }));
    await next("open");
    client.send(big);
    assert(big.equals(Buffer.from((await next("message")).data as ArrayBuffer)));
    client.close(4000);
    await next("close");
  }));

test("toDuplex() lets a client of ws talk to a server of ws on sockets of its own", () =>
  withHttp(echoRequest, async ({ net, sw }) => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
    await once(server, "listening");
    const client = connect(net, sw, tcp("127.0.0.1", (server.address() as { port: number }).port));
    await once(client, "open");
    client.send(big);
    assert(big.equals((await once(client, "message"))[0]));
    client.close();
    await once(client, "close");
    await new Promise((resolve) => server.close(resolve));
  }));

test("toDuplex() ends a WebSocket that is still open with its switch, and the server sees that", () =>
  withEcho(async ({ net, address }, sockets) => {
    let closed: Promise<unknown[]> | undefined;
    let gone: Promise<unknown[]> | undefined;
    const errors: unknown[] = [];
    await Switch.run(async (sw) => {
      const client = connect(net, sw, address);
      client.on("error", (error) => errors.push(error));
      await once(client, "open");
      closed = new Promise((resolve) => client.once("close", (...args) => resolve(args)));
      gone = new Promise((resolve) => [...sockets.clients][0].once("close", (...args) => resolve(args)));
    });
    assertEquals((await closed)?.[0], 1006);
    assertEquals((await gone)?.[0], 1006);
    await until(() => openCounts().sockets === 0);
  }));

test("toDuplex() ends the WebSockets of a server with the switch of its connections", async () => {
  let closed: Promise<unknown> | undefined;
  await withEcho(async ({ origin }) => {
    const client = new WebSocket(origin.replace("http:", "ws:"));
    client.on("error", () => {});
    await once(client, "open");
    closed = new Promise((resolve) => client.once("close", resolve));
  });
  assertEquals(openCounts().sockets, 0);
  assertStrictEquals(await closed, 1006);
});

test("toDuplex() fails a WebSocket without a listener", () =>
  withHttp(echoRequest, async ({ net, sw }) => {
    const client = connect(net, sw, tcp("127.0.0.1", 1));
    const error = await new Promise<Error>((resolve) => client.once("error", resolve));
    assertEquals((error as { code?: unknown }).code, "ECONNREFUSED");
  }));
