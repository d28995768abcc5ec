// Copyright 2026 the Sluice authors. MIT license.

/** Samples of the README and of the pages on servers that need a peer, run as their reader runs them. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { root } from "../_runtimes.ts";
import { test } from "../_test.ts";
import type { Program } from "../examples/_program.ts";
import { startSample } from "./_samples.ts";
import { listeningPort, withServer } from "./_server.ts";

const anyPort = { "8080": "0" };
const fixtures = `${root}/tests/fixtures/tls`;
const certificate = { "fullchain.pem": `${fixtures}/localhost.crt`, "privkey.pem": `${fixtures}/localhost.key` };
const authority = `${fixtures}/authority.crt`;

test("README.md: an echo server gives back what it is sent, and stops", async () => {
  await using program = startSample("README.md", "copy(connection, connection)", anyPort);
  assertEquals(await ask(await listeningPort(program), "hello"), "hello");
  await stops(program);
});

test("README.md: a timeout leaves the bytes of a read that it stops", async () => {
  let peer: Socket | undefined;
  await withServer((socket) => (peer = socket).write("hel"), async (port) => {
    await using program = startSample("README.md", "no line yet", { "8080": String(port) });
    await program.until(/no line yet\n/);
    peer?.end("lo\n");
    assertEquals(await program.end, { status: 0, errors: "" });
    assertEquals(program.output, "no line yet\nhello\n");
  });
});

test("tls.md: a TLS client reads a page", async () => {
  const server = createTlsServer({
    cert: readFileSync(`${fixtures}/localhost.crt`),
    key: readFileSync(`${fixtures}/localhost.key`),
    ALPNProtocols: ["http/1.1"],
  }, (socket) => socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\n\r\nhello")));
  await withServer(server, async (port) => {
    await using program = startSample("docs/tls.md", "hostAddress", {
      'hostAddress("example.com", 443)': `hostAddress("localhost", ${port})`,
      'serverName: "example.com"': `serverName: "localhost", authorities: await readFile("${authority}")`,
      "import { tlsClient }": 'import { readFile } from "node:fs/promises";\nimport { tlsClient }',
    });
    assertEquals(await program.end, { status: 0, errors: "" });
    assertEquals(program.output, "HTTP/1.0 200 OK\r\n\r\nhello");
  });
});

test("tls.md: a TLS server gives back what it is sent, and stops", async () => {
  await using program = startSample("docs/tls.md", "runServer", { ...certificate, "8443": "0" });
  const port = await listeningPort(program);
  const socket = connectTls({ port, host: "127.0.0.1", ca: readFileSync(authority), servername: "localhost" });
  await once(socket, "secureConnect");
  socket.write("hello");
  assertEquals(String((await once(socket, "data"))[0]), "hello");
  socket.end();
  await once(socket, "close");
  await stops(program);
});

test("tls.md: both sides start TLS in the middle of a conversation", async () => {
  await using program = startSample("docs/tls.md", "STARTTLS", { ...certificate, "authority.pem": authority });
  assertEquals(await program.end, { status: 0, errors: "" });
  assertEquals(program.output, "220 go ahead\nhello\n");
});

test("servers.md: a proxy connects its clients to another server", () =>
  withServer((socket) => socket.pipe(socket), async (upstream) => {
    await using program = startSample("docs/servers.md", "proxy(connection", {
      ...anyPort,
      'tcp("127.0.0.1", 80)': `tcp("127.0.0.1", ${upstream})`,
    });
    assertEquals(await ask(await listeningPort(program), "hello"), "hello");
    await stops(program);
  }));

test("servers.md: two servers share a limit, and stop", async () => {
  await using program = startSample("docs/servers.md", "Semaphore", anyPort);
  assertEquals(await ask(await listeningPort(program), "hello"), "hello");
  await stops(program);
});

test("servers.md: a server with TLS and limits gives back what it is sent, and stops", async () => {
  await using program = startSample("docs/servers.md", "perPeer", { ...certificate, "8443": "0" });
  const port = await listeningPort(program);
  const socket = connectTls({ port, host: "127.0.0.1", ca: readFileSync(authority), servername: "localhost" });
  await once(socket, "secureConnect");
  socket.write("hello");
  assertEquals(String((await once(socket, "data"))[0]), "hello");
  socket.end();
  await once(socket, "close");
  await stops(program);
});

test("servers.md: a server behind a proxy sees the client, and what it asked for", async () => {
  const here = { '"0.0.0.0", 8080': '"127.0.0.1", 0', "10.0.0.0/8": "127.0.0.0/8" };
  await using program = startSample("docs/servers.md", "proxyHeaderOf", here);
  const header = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x18\x01\x02\x03\x04\x05\x06\x07\x08\0\x09\0\x50\x02\0\x09a.example";
  const answer = await ask(await listeningPort(program), header);
  assertEquals(answer, "hello tcp:1.2.3.4:9, you asked for a.example\n");
  await stops(program);
});

test("servers.md: a server of node:http answers over flows, and stops", async () => {
  await using program = startSample("docs/servers.md", "httpHandler", anyPort);
  const port = await listeningPort(program);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: "127.0.0.1", port, agent: false }, resolve).on("error", reject);
  });
  assertEquals(await text(response), "hello\n");
  await stops(program);
});

test("from-eio.md: a server answers one line", async () => {
  await using program = startSample("docs/from-eio.md", "maxConnections", anyPort);
  assertEquals(await ask(await listeningPort(program), "hello\n"), "hello\n");
  await stops(program);
});

test("from-go.md: a server gives back lines", async () => {
  await using program = startSample("docs/from-go.md", "SIGTERM", anyPort);
  assertEquals(await ask(await listeningPort(program), "one\ntwo\n"), "one\ntwo\n");
  await stops(program);
});

test("from-node.md: a server answers lines", async () => {
  await using program = startSample("docs/from-node.md", "toUpperCase", anyPort);
  assertEquals(await ask(await listeningPort(program), "one\ntwo\n"), "ONE\nTWO\n");
  await stops(program);
});

/** What a server sends to a client that sends `question` and its end. */
async function ask(port: number, question: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.end(question);
  return await text(socket);
}

async function stops(program: Program): Promise<void> {
  program.signal("SIGTERM");
  const { status, errors } = await program.end;
  assertEquals(status, 0, errors);
  assertStringIncludes(program.output, "listening on");
}
