// Copyright 2026 the Sluice authors. MIT license.

/**
 * TLS, HTTPS and HTTP/2 of the runtime over sockets: `node:net` and toDuplex() side by side, on
 * both sides of the connection.
 */
import { once } from "node:events";
import { connect as connectHttp2, createSecureServer, createServer as createHttp2Server } from "node:http2";
import { createServer, type IncomingMessage } from "node:http";
import { request } from "node:https";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { authority, certificate } from "../../net/tls/_helpers.ts";
import { allClosed, type Arena, half, sideBySide, soon } from "./_side_by_side.ts";

const { chain: cert, key } = certificate("localhost") as { chain: string; key: string };
const trust = { ca: authority, servername: "localhost" };

/** Makes a TLS server over the sockets of an arena, and TLS clients of it. */
async function secure(arena: Arena, serve: (socket: TLSSocket) => void, options = {}) {
  const server = createTlsServer({ cert, key }, serve);
  server.on("tlsClientError", (error: NodeJS.ErrnoException) => arena.see("server", error.code !== undefined));
  const under: Socket[] = [];
  const port = await arena.listen((socket) => {
    under.push(socket);
    server.emit("connection", socket);
  }, options);
  return { port, under, connect: (more = {}) => connectTls({ socket: arena.connect(port), ...trust, ...more }) };
}

sideBySide("toDuplex() carries TLS of the runtime on both sides", async (arena) => {
  const { connect, under } = await secure(arena, (socket) => void socket.pipe(socket));
  const client = connect();
  await once(client, "secureConnect");
  arena.see("test", client.authorized, client.getProtocol());
  client.write("hello");
  arena.see("test", String((await once(client, "data"))[0]));
  client.end(); // not earlier: on Bun an end that has read the peer's close_notify cannot write any more
  arena.see("test", await allClosed(...under));
});

sideBySide("toDuplex() carries megabytes over TLS", async (arena) => {
  const { connect } = await secure(arena, (socket) => socket.end("x".repeat(3_000_000)));
  arena.see("test", (await text(connect())).length);
}, { unlike: { deno: "it stops amid them" }, expected: { test: [3_000_000] } });

sideBySide("toDuplex() under TLS whose server ends first ends without an error", async (arena) => {
  const { connect, under } = await secure(arena, (socket) => {
    socket.on("error", (error: NodeJS.ErrnoException) => arena.see("server", error.code));
    socket.end("bye");
  });
  const client = connect();
  client.on("error", (error: NodeJS.ErrnoException) => arena.see("client", error.code));
  client.on("close", (hadError: boolean) => arena.see("client", `close ${hadError}`));
  arena.see("test", await text(client), await allClosed(...under));
  await soon(50);
});

sideBySide("toDuplex() under TLS whose server ends first gives a slow reader everything", async (arena) => {
  const { connect } = await secure(arena, (socket) => socket.on("error", () => {}).end("x".repeat(40_000)));
  const client = connect();
  client.on("error", (error: NodeJS.ErrnoException) => arena.see("client", error.code));
  client.pause();
  await soon(200);
  arena.see("test", (await text(client)).length);
});

sideBySide("toDuplex() under TLS that does not trust fails as a socket does", async (arena) => {
  const { connect } = await secure(arena, () => {});
  const client = connect({ ca: undefined });
  const [error] = await once(client, "error").catch((error) => [error]);
  arena.see("test", error.code);
});

sideBySide("toDuplex() under TLS passes a cut on", async (arena) => {
  const { connect } = await secure(arena, (socket) => socket.on("error", () => {}).destroy());
  const client = connect();
  client.on("error", (error: NodeJS.ErrnoException) => arena.see("client", error.code));
  client.resume();
  await new Promise((resolve) => client.once("close", resolve));
});

sideBySide("toDuplex() carries HTTPS on both sides", async (arena) => {
  const server = createServer((request, response) => { // not one of node:https, to which Bun hands decrypted data
    response.setHeader("x-encrypted", String((request.socket as TLSSocket).encrypted));
    response.end("y".repeat(500_000));
  });
  const { connect } = await secure(arena, (socket) => server.emit("connection", socket), half);
  const asking = request({ createConnection: () => connect() }).end();
  const [response] = await once(asking, "response") as [IncomingMessage];
  arena.see("test", response.headers["x-encrypted"], (await text(response)).length);
});

sideBySide("toDuplex() carries HTTP/2 without TLS on both sides", async (arena) => {
  const server = createHttp2Server((request, response) => void request.pipe(response));
  const port = await arena.listen((socket) => server.emit("connection", socket), half);
  const session = connectHttp2("http://localhost", { createConnection: () => arena.connect(port) });
  for (const size of [10, 500_000]) {
    const stream = session.request({ ":path": "/", ":method": "POST" });
    stream.end("z".repeat(size));
    const body = text(stream); // before the stream completes, which drops unread data
    const [headers] = await once(stream, "response");
    arena.see("test", headers[":status"], (await body).length);
  }
  session.close();
  await new Promise((resolve) => session.once("close", resolve));
});

sideBySide("toDuplex() carries HTTP/2 over TLS on both sides", async (arena) => {
  const server = createSecureServer({ cert, key }, (request, response) => response.end(request.url));
  const port = await arena.listen((socket) => server.emit("connection", socket), half);
  const socket = connectTls({ socket: arena.connect(port), ALPNProtocols: ["h2"], ...trust });
  await once(socket, "secureConnect");
  const session = connectHttp2("https://localhost", { createConnection: () => socket });
  const paths = ["/1", "/2", "/3"];
  arena.see(
    "test",
    socket.alpnProtocol,
    ...await Promise.all(paths.map((path) => text(session.request({ ":path": path })))),
  );
  session.close();
  await new Promise((resolve) => session.once("close", resolve));
});

sideBySide("toDuplex() that is reset fails the streams of HTTP/2", async (arena) => {
  const sockets: Socket[] = [];
  const server = createHttp2Server(() => sockets[0].resetAndDestroy());
  const port = await arena.listen((socket) => {
    sockets.push(socket);
    server.emit("connection", socket);
  }, half);
  const session = connectHttp2("http://localhost", { createConnection: () => arena.connect(port) });
  session.on("error", () => {});
  const stream = session.request({ ":path": "/" });
  stream.on("error", () => arena.see("stream", "error"));
  await new Promise((resolve) => stream.once("close", resolve));
}, { resets: true });
