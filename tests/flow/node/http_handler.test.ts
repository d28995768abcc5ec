// Copyright 2026 the Sluice authors. MIT license.

/** Servers of `node:http` and `node:http2` that drain, over sockets of the library. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import type { EventEmitter } from "node:events";
import { copyString, readAll } from "../../../flow/mod.ts";
import { httpHandler } from "../../../flow/node/mod.ts";
import { runServer, type StreamSocket } from "../../../mod.ts";
import { textOf, turns, until } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, withNet } from "../../net/_helpers.ts";
import { runtime, soon } from "./_side_by_side.ts";

/** A running server. */
interface Served {
  readonly port: number;
  connect(): Promise<StreamSocket>;
  /** How many handlers are active. */
  readonly active: number;
  /** Asks the handlers to stop. */
  stop(): void;
  /** Waits until all handlers have ended by themselves. */
  drained(): Promise<void>;
}

function withServed(server: EventEmitter, fn: (served: Served) => Promise<void>): Promise<void> {
  return withNet(async (sw, net) => {
    const stopping = new AbortController();
    const accepting = new AbortController();
    const errors: unknown[] = [];
    let active = 0;
    const listener = await net.listen(sw, anyPort);
    const handler = httpHandler(server);
    const counted = async (flow: StreamSocket) => {
      active++;
      await handler(flow, flow.peer, { stopping: stopping.signal });
      active--;
    };
    sw.fork(() =>
      runServer(listener, counted, { onError: (error) => errors.push(error), stop: accepting.signal, grace: 1000 })
    );
    await fn({
      port: listener.address.port,
      connect: () => net.connect(sw, listener.address),
      get active() {
        return active;
      },
      stop: () => stopping.abort(),
      drained: () => until(() => active === 0),
    });
    await until(() => active === 0);
    accepting.abort();
    assertEquals(errors, []);
  });
}

/**
 * A server with keep-alive, also on Deno, where one that does not listen ends each connection after
 * one response.
 */
async function keeping(listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  if (runtime === "deno") await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

const ask = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** Reads until the text has arrived. */
async function readUntil(flow: StreamSocket, what: string): Promise<string> {
  const buffer = new Uint8Array(64 * 1024);
  for (let all = "";;) {
    if (all.includes(what)) return all;
    const size = await flow.read(buffer);
    if (size === null) throw new Error(`Expected ${what}, got ${all}`);
    all += textOf(buffer.subarray(0, size));
  }
}

test("httpHandler() ends a connection that waits for its next request", async () => {
  const server = await keeping((_, response) => response.end("hello"));
  await withServed(server, async ({ connect, stop, drained }) => {
    const flow = await connect();
    await copyString(ask("/"), flow);
    await readUntil(flow, "hello");
    stop();
    await drained();
    assertEquals((await readAll(flow)).length, 0);
  });
  server.close();
});

test("httpHandler() ends a connection that has sent nothing yet", async () => {
  const server = await keeping((_, response) => response.end("hello"));
  await withServed(server, async (served) => {
    const flow = await served.connect();
    await until(() => served.active === 1);
    served.stop();
    await served.drained();
    assertEquals((await readAll(flow)).length, 0);
  });
  server.close();
});

test("httpHandler() lets a response in flight finish, and says that it is the last", async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  const server = await keeping((_, response) => asked.resolve(response));
  await withServed(server, async ({ connect, stop, drained }) => {
    const flow = await connect();
    await copyString(ask("/"), flow);
    const response = await asked.promise;
    stop();
    await turns(5);
    response.end("x".repeat(1_000_000));
    const all = textOf(await readAll(flow));
    assert(/\r\nconnection: close\r\n/i.test(all), all.slice(0, 200));
    assert(all.length > 1_000_000);
    await drained();
  });
  server.close();
});

test("httpHandler() ends a connection after a response whose headers were sent before", async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  const server = await keeping((_, response) => {
    response.setHeader("content-length", 6);
    response.write("abc");
    asked.resolve(response);
  });
  await withServed(server, async ({ connect, stop, drained }) => {
    const flow = await connect();
    await copyString(ask("/"), flow);
    const response = await asked.promise;
    const before = await readUntil(flow, "abc");
    stop();
    await turns(5);
    response.end("def");
    assertEquals(textOf(await readAll(flow)), "def");
    assert(!/connection: close/i.test(before) || runtime === "deno");
    await drained();
  });
  server.close();
});

test("httpHandler() answers all requests that came in one go before it ends", async () => {
  const responses: ServerResponse[] = [];
  const server = await keeping((request, response) => {
    response.setHeader("x-path", request.url as string);
    responses.push(response);
  });
  if (runtime === "deno" || runtime === "bun") {
    server.close();
    return; // they hand over one request at a time
  }
  await withServed(server, async ({ connect, stop, drained }) => {
    const flow = await connect();
    await copyString(ask("/1") + ask("/2"), flow);
    await until(() => responses.length === 2);
    stop();
    await copyString(ask("/3"), flow);
    await until(() => responses.length === 3);
    for (const response of responses) response.end();
    const all = textOf(await readAll(flow));
    assertEquals(all.match(/x-path: \/\d/g), ["x-path: /1", "x-path: /2", "x-path: /3"]);
    const last = all.split("HTTP/1.1 ").map((answer) => /\r\nconnection: close\r\n/i.test(answer));
    assertEquals(last, [false, false, false, true]);
    await drained();
  });
});

test("httpHandler() waits for a request that is on its way", async () => {
  const server = await keeping((request, response) => response.end(request.url));
  const connected = Promise.withResolvers<Socket>();
  server.once("connection", connected.resolve);
  await withServed(server, async (served) => {
    const flow = await served.connect();
    await copyString(ask("/late").slice(0, 20), flow);
    const socket = await connected.promise;
    await until(() => socket.bytesRead === 20);
    served.stop();
    await copyString(ask("/late").slice(20), flow);
    assert(textOf(await readAll(flow)).endsWith("/late"));
    await served.drained();
  });
  server.close();
});

const post = "POST /p HTTP/1.1\r\nHost: localhost\r\n";
const idle: [what: string, before: string, after: string][] = [
  ["whose last request had its body after the answer", post + "Content-Length: 5\r\n\r\n", "abcde"],
  ["whose last chunk came after the answer", post + "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", "0\r\n\r\n"],
  ["that has sent an empty line after its request", ask("/p"), "\r\n"],
];
for (const [what, before, after] of idle) {
  test(`httpHandler() ends a connection ${what}`, async () => {
    const server = await keeping((_, response) => response.end("hello"));
    server.keepAliveTimeout = 60_000;
    await withServed(server, async ({ connect, stop, drained }) => {
      const flow = await connect();
      await copyString(before, flow);
      await readUntil(flow, "hello");
      await copyString(after, flow);
      await soon();
      stop();
      await drained();
      assertEquals((await readAll(flow)).length, 0);
    });
    server.close();
  });
}

test("httpHandler() receives a body that is on its way before it ends a connection", async () => {
  const server = await keeping((request, response) => {
    request.resume();
    response.end("hello");
  });
  await withServed(server, async (served) => {
    const flow = await served.connect();
    await copyString(post + "Content-Length: 5\r\n\r\n", flow);
    await readUntil(flow, "hello");
    served.stop();
    const seen: string[] = [];
    const ended = readAll(flow).then(() => seen.push("end"));
    await soon();
    seen.push("body");
    await copyString("abcde", flow);
    await Promise.all([ended, served.drained()]);
    assertEquals(seen, ["body", "end"]);
  });
  server.close();
});

test("httpHandler() waits for a request that began to come before the last answer was done", async () => {
  const server = await keeping((request, response) => response.end(`hello ${request.url}`));
  await withServed(server, async ({ connect, stop, drained }) => {
    const flow = await connect();
    await copyString(ask("/1") + ask("/2").slice(0, 20), flow);
    await readUntil(flow, "hello /1");
    await soon();
    stop();
    await copyString(ask("/2").slice(20), flow);
    assert(textOf(await readAll(flow)).endsWith("hello /2"));
    await drained();
  });
  server.close();
});

test("httpHandler() ends a connection after the last answer, whatever its client has begun to send", async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  const server = await keeping((_, response) => asked.resolve(response));
  await withServed(server, async ({ connect, stop, drained }) => {
    const flow = await connect();
    await copyString(ask("/1") + ask("/2").slice(0, 20), flow);
    const response = await asked.promise;
    stop();
    response.end("hello");
    assert(textOf(await readAll(flow)).endsWith("hello"));
    await drained();
  });
  server.close();
});

test("httpHandler() ends a connection that comes while the server stops", async () => {
  const server = await keeping((_, response) => response.end());
  await withServed(server, async ({ connect, stop, drained }) => {
    stop();
    const flow = await connect();
    assertEquals((await readAll(flow)).length, 0);
    await drained();
  });
  server.close();
});

test("httpHandler() leaves an upgraded connection to its users", async () => {
  const server = await keeping((_, response) => response.end());
  server.on("upgrade", (_request: IncomingMessage, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
    socket.pipe(socket);
  });
  await withServed(server, async (served) => {
    const flow = await served.connect();
    await copyString("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n", flow);
    await readUntil(flow, "\r\n\r\n");
    served.stop();
    await copyString("hello", flow);
    await readUntil(flow, "hello");
    assertEquals(served.active, 1);
    await flow.close();
  });
  server.close();
});

test("httpHandler() needs no scope", async () => {
  const server = await keeping((_, response) => response.end("hello"));
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const accepting = listener.accept(sw);
    const flow = await net.connect(sw, listener.address);
    const served = httpHandler(server)(await accepting);
    await copyString(ask("/"), flow);
    await readUntil(flow, "hello");
    await flow.close();
    await served;
  });
  server.close();
});

test("httpHandler() closes a session of node:http2 once its streams are done", async () => {
  const asked = Promise.withResolvers<{ end(body: string): unknown }>();
  const server = createHttp2Server((_, response) => asked.resolve(response));
  await withServed(server, async ({ port, stop, drained }) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = session.request({ ":path": "/" });
    const response = await asked.promise;
    stop();
    await turns(5);
    response.end("hello");
    let all = "";
    for await (const chunk of stream.setEncoding("utf8")) all += chunk;
    assertEquals(all, "hello");
    session.close();
    await drained();
  });
});

test("httpHandler() of what is not a server is a TypeError", () => {
  for (const wrong of [undefined, {}, "server"]) {
    assertThrows(() => httpHandler(wrong as never), TypeError, "must be a server of node:http");
  }
});
