// Copyright 2026 the Sluice authors. MIT license.

/** WinterTC's sockets with TLS: from the start, and after startTls(). */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { BufReader, copyString, type Net, readExact, type StreamSocket, type Switch } from "../../../mod.ts";
import { type TlsError, tlsServer, type TlsServerOptions } from "../../../net/tls/mod.ts";
import { SocketError, toConnect, type WinterSocket, type WinterSocketOptions } from "../../../net/wintertc/mod.ts";
import { bytesOf, inCancelledScope, outcomeOf, turns } from "../../_helpers.ts";
import { anyPort } from "../_helpers.ts";
import { authority, serverOptions } from "../tls/_helpers.ts";
import { receive, receiveAll, send, testOnNets } from "./_helpers.ts";

const trusting = { tls: { authorities: authority } };

/** Answers each line with the line itself, until "bye". */
async function echoLines(sw: Switch, flow: StreamSocket, options: Partial<TlsServerOptions> = {}): Promise<void> {
  const tls = await tlsServer(sw, flow, { ...serverOptions, ...options });
  const reader = new BufReader(tls, { maxSize: 1024 });
  for (let line = await reader.line(); line !== null && line !== "bye"; line = await reader.line()) {
    await copyString(`${line}!\n`, tls);
  }
  await tls.close();
}

/** Listens, and serves one connection, whose errors are the client's to see. */
async function serveOne(sw: Switch, net: Net, serve: (flow: StreamSocket) => Promise<void>): Promise<number> {
  const listener = await net.listen(sw, anyPort);
  sw.forkDaemon(async () => void await outcomeOf(async () => serve(await listener.accept(sw))));
  return listener.address.port;
}

/** A server that takes a line, answers "go", and starts TLS. */
async function startTlsServer(sw: Switch, flow: StreamSocket, options?: Partial<TlsServerOptions>): Promise<void> {
  const reader = new BufReader(flow, { maxSize: 1024 });
  assertEquals(await reader.line(), "STARTTLS");
  await copyString("go\n", flow);
  await echoLines(sw, reader.unread(flow), options);
}

/** Connects to `port` by the name of the server's certificate, at the address of the server. */
function open(sw: Switch, net: Net, port: number, options: WinterSocketOptions): WinterSocket {
  return toConnect(net, sw, trusting)({ hostname: "127.0.0.1", port }, options);
}

const on: WinterSocketOptions = { secureTransport: "on", sni: "localhost" };
const starttls: WinterSocketOptions = { secureTransport: "starttls", sni: "localhost" };

testOnNets("connect() with TLS", "opens after the handshake, and tells the protocol", async (sw, net) => {
  const port = await serveOne(sw, net, (flow) => echoLines(sw, flow, { protocols: ["b", "a"] }));
  const socket = open(sw, net, port, { ...on, alpn: ["a", "c"] });
  assertEquals((await socket.opened).alpn, "a");
  assertEquals([socket.secureTransport, socket.upgraded], ["on", false]);
  await send(socket, "hello\n");
  assertEquals(await receive(socket), "hello!\n");
  await send(socket, "bye\n");
  assertEquals(await receiveAll(socket), "");
  await socket.closed;
});

testOnNets("connect() with TLS", "expects the host name, or else sni, and sends it", async (sw, net) => {
  const asked: unknown[] = [];
  const certificate = (name: string | undefined) => {
    asked.push(name);
    return serverOptions.certificate as Exclude<TlsServerOptions["certificate"], (...args: never) => unknown>;
  };
  const names: [string, string | undefined][] = [["stranger.test", "name_mismatch"], ["localhost", undefined]];
  for (const [sni, code] of [...names, [undefined, undefined] as const]) { // the certificate has the address too
    const port = await serveOne(sw, net, (flow) => echoLines(sw, flow, { certificate }));
    const outcome = await outcomeOf(() => open(sw, net, port, { secureTransport: "on", sni }).opened) as SocketError;
    assertEquals((outcome.cause as TlsError | undefined)?.code, code);
  }
  assertEquals(asked, ["stranger.test", "localhost", undefined]);
});

testOnNets("connect() with TLS", "to a server that is not trusted fails everything", async (sw, net) => {
  const port = await serveOne(sw, net, (flow) => echoLines(sw, flow));
  const socket = toConnect(net, sw)({ hostname: "127.0.0.1", port }, on);
  const error = await assertRejects(() => socket.opened, SocketError) as SocketError;
  assertEquals((error.cause as TlsError).code, "certificate_untrusted");
  for (const each of [socket.closed, receive(socket), send(socket, "x")]) {
    assertStrictEquals(await outcomeOf(() => each), error);
  }
});

testOnNets("connect() with TLS", "that is cut off fails its readable, and closed", async (sw, net) => {
  const port = await serveOne(sw, net, async (flow) => {
    const tls = await tlsServer(sw, flow, serverOptions);
    await copyString("hello\n", tls);
    await tls.read(new Uint8Array(1)); // so that the line has gone out
    await flow.shutdown("send"); // without close_notify
  });
  const socket = open(sw, net, port, on);
  assertEquals(await receive(socket), "hello\n");
  await send(socket, "x");
  const error = await assertRejects(() => receive(socket), SocketError) as SocketError;
  assertEquals((error.cause as TlsError).code, "truncated");
  assertStrictEquals(await outcomeOf(() => socket.closed), error);
});

testOnNets("startTls()", "goes on over the same connection, and closes the first socket", async (sw, net) => {
  const port = await serveOne(sw, net, (flow) => startTlsServer(sw, flow, { protocols: ["a"] }));
  const plain = open(sw, net, port, { ...starttls, alpn: ["a"] });
  const before = await plain.opened;
  assertEquals(before.alpn, null);
  await send(plain, "STARTTLS\n");
  assertEquals(await receive(plain), "go\n");
  const socket = plain.startTls();
  assertEquals([plain.upgraded, plain.secureTransport], [true, "starttls"]);
  assertEquals([socket.upgraded, socket.secureTransport], [false, "on"]);
  await plain.closed;
  assertEquals(await socket.opened, { ...before, alpn: "a" });
  await send(socket, "hello\n");
  assertEquals(await receive(socket), "hello!\n");
  await send(socket, "bye\n");
  assertEquals(await receiveAll(socket), "");
  await socket.closed;
});

testOnNets("startTls()", "ends streams that are locked, and loses nothing of the pending read", async (sw, net) => {
  const port = await serveOne(sw, net, (flow) => startTlsServer(sw, flow));
  const plain = open(sw, net, port, starttls);
  const writer = plain.writable.getWriter();
  const reader = plain.readable.getReader();
  await writer.write(bytesOf("STARTTLS\n"));
  await reader.read();
  const reading = reader.read(); // of what belongs to TLS
  await turns(1);
  const socket = plain.startTls();
  assertEquals((await reading).done, true);
  await plain.closed;
  await assertRejects(() => writer.write(bytesOf("late")), SocketError, "use what startTls returned");
  await send(socket, "hello\n");
  assertEquals(await receive(socket), "hello!\n");
});

testOnNets(
  "startTls()",
  "works before the socket has opened, and after a reader released its lock",
  async (sw, net) => {
    const port = await serveOne(sw, net, (flow) => echoLines(sw, flow));
    const plain = open(sw, net, port, starttls);
    const reader = plain.readable.getReader();
    reader.read().catch(() => {}); // fails by releaseLock
    reader.releaseLock();
    const socket = plain.startTls();
    const written = send(socket, "hello\n");
    assertEquals(await receive(socket), "hello!\n");
    await written;
    assertEquals((await plain.opened).alpn, null);
  },
);

testOnNets("startTls()", "sends what was written before, and TLS only then", async (sw, net) => {
  const port = await serveOne(sw, net, async (flow) => {
    await readExact(flow, new Uint8Array(3 << 20));
    await echoLines(sw, flow);
  });
  const plain = open(sw, net, port, starttls);
  await plain.opened;
  const writer = plain.writable.getWriter();
  const writes = [1, 2].map((megabytes) => writer.write(new Uint8Array(megabytes << 20)));
  const socket = plain.startTls();
  await Promise.all(writes);
  await send(socket, "hello\n");
  assertEquals(await receive(socket), "hello!\n");
});

testOnNets("startTls()", "can be told the name that it expects", async (sw, net) => {
  for (const [expectedServerHostname, code] of [["localhost", undefined], ["other.test", "name_mismatch"]] as const) {
    const port = await serveOne(sw, net, (flow) => echoLines(sw, flow));
    const plain = open(sw, net, port, { secureTransport: "starttls" });
    const socket = plain.startTls({ expectedServerHostname });
    const outcome = await outcomeOf(() => socket.opened) as SocketError;
    assertEquals((outcome.cause as TlsError | undefined)?.code, code);
    if (code !== undefined) assertStrictEquals(await outcomeOf(() => socket.closed), outcome);
    await plain.closed;
  }
});

testOnNets("startTls()", "a second time, on TLS or on a closed socket, throws a SocketError", async (sw, net) => {
  const port = await serveOne(sw, net, (flow) => echoLines(sw, flow));
  const plain = open(sw, net, port, starttls);
  const name = { expectedServerHostname: "a b" };
  assertThrows(() => plain.startTls(name), SocketError, "with expectedServerHostname");
  assertThrows(() => plain.startTls(1 as never), TypeError, "options must be an object");
  assertEquals(plain.upgraded, false);
  const socket = plain.startTls();
  assertThrows(() => plain.startTls(), SocketError, "it was upgraded already");
  assertThrows(() => socket.startTls(), SocketError, "it uses TLS already");
  await socket.close();
  assertStrictEquals(await plain.close(), undefined);
  const other = open(sw, net, await serveOne(sw, net, (flow) => echoLines(sw, flow)), starttls);
  await other.close();
  assertThrows(() => other.startTls(), SocketError, "it is closed");
});

testOnNets("startTls()", "that fails before the socket has opened fails with its error", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  await listener.close();
  const plain = open(sw, net, listener.address.port, starttls);
  const socket = plain.startTls();
  const error = await assertRejects(() => plain.opened, SocketError);
  for (const each of [plain.closed, socket.opened, socket.closed]) {
    assertStrictEquals(await outcomeOf(() => each), error);
  }
});

testOnNets("close()", "during the handshake abandons it, and closes the connection", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  const accepting = listener.accept(sw);
  const plain = open(sw, net, listener.address.port, starttls);
  const server = await accepting;
  await plain.opened;
  const socket = plain.startTls();
  await server.read(new Uint8Array(1));
  const reason = new Error("No longer needed");
  await socket.close(reason);
  assertStrictEquals(await outcomeOf(() => socket.opened), reason);
  const buffer = new Uint8Array(1024);
  while (typeof await outcomeOf(() => server.read(buffer)) === "number");
});

testOnNets("close()", "closes a connection whose startTls() waits for the peer to read", async (sw, net) => {
  const listener = await net.listen(sw, anyPort);
  const accepting = listener.accept(sw);
  const plain = open(sw, net, listener.address.port, starttls);
  const server = await accepting;
  await plain.opened;
  const writing = outcomeOf(() => plain.writable.getWriter().write(new Uint8Array(64 << 20)));
  await server.read(new Uint8Array(1));
  const socket = plain.startTls();
  await socket.close();
  assert(await writing instanceof SocketError);
  const buffer = new Uint8Array(1 << 16);
  while (typeof await outcomeOf(() => server.read(buffer)) === "number");
});

testOnNets(
  "startTls()",
  "works in a cancelled scope, like every operation of a socket that is open",
  async (sw, net) => {
    const port = await serveOne(sw, net, (flow) => echoLines(sw, flow));
    const plain = open(sw, net, port, starttls);
    await plain.opened;
    const socket = await inCancelledScope(() => Promise.resolve(plain.startTls()));
    assertEquals((await socket.opened).alpn, null);
  },
);
