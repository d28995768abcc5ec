// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { Duplex, PassThrough, Readable } from "node:stream";
import { createGzip, gunzipSync } from "node:zlib";
import {
  BrokenPipeError,
  BusyError,
  bytesSource,
  ClosedError,
  copy,
  copyString,
  readAll,
  writeAll,
} from "../../../flow/mod.ts";
import { fromDuplex, toDuplex } from "../../../flow/node/mod.ts";
import { pattern } from "../../../net/testing/_random.ts";
import { both, Cancelled, first, Switch } from "../../../switch/mod.ts";
import { describeData } from "../../../base/_text.ts";
import { bytesOf, inCancelledScope, readText, turns } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, assertCutOff, withNet } from "../../net/_helpers.ts";
import { attempt, clog } from "../_helpers.ts";
import { runtime, soon } from "./_side_by_side.ts";

/** Makes two connected sockets, which the caller must close. */
async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer();
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = connect((server.address() as { port: number }).port, "127.0.0.1");
  const other = await accepted;
  server.close();
  return [client, other];
}

/** A stream that never takes the second write, and never produces data. */
function stuck(): Duplex {
  return new Duplex({ read() {}, write() {} });
}

test("fromDuplex() packs with node:zlib", async () => {
  const flow = fromDuplex(createGzip());
  const send = async () => {
    await copy(bytesSource(pattern(0, 500_000)), flow);
    await flow.shutdown("send");
  };
  const [, packed] = await both(send, () => readAll(flow));
  assertEquals(new Uint8Array(gunzipSync(packed)), pattern(0, 500_000));
  await flow.close();
});

test("fromDuplex() holds no more than the stream and 64 KiB while nothing is read", async () => {
  const flow = fromDuplex(new PassThrough({ highWaterMark: 1000 }));
  const taken = await clog((bytes) => flow.write(bytes));
  assert(taken <= 200_000, `${taken} bytes were taken`);
  const [, all] = await both(() => flow.shutdown("send"), () => readAll(flow));
  assertEquals(all.length, taken);
  await flow.close();
});

test("fromDuplex() refuses a second reader and a second writer", async () => {
  const flow = fromDuplex(stuck());
  await flow.write(bytesOf("one"));
  const pending = [flow.read(new Uint8Array(1)), flow.write(bytesOf("two"))].map((each) => each.catch(() => {}));
  await assertRejects(() => flow.read(new Uint8Array(1)), BusyError);
  await assertRejects(() => flow.write(bytesOf("three")), BusyError);
  flow.abort();
  await Promise.all(pending);
});

test("fromDuplex() throws the stream's error in both directions", async () => {
  const error = new Error("Cannot go on");
  const duplex = stuck();
  const flow = fromDuplex(duplex);
  await flow.write(bytesOf("one"));
  const pending = [flow.read(new Uint8Array(1)), flow.write(bytesOf("two"))].map((each) => each.catch((e) => e));
  duplex.destroy(error);
  for (const each of await Promise.all(pending)) assertStrictEquals(each, error);
  await flow.shutdown("all");
  await flow.close();
});

test("fromDuplex() of a stream that is destroyed already is a BrokenPipeError", async () => {
  const flow = fromDuplex(stuck().destroy());
  await assertRejects(() => flow.read(new Uint8Array(1)), BrokenPipeError);
  await assertRejects(() => flow.write(bytesOf("late")), BrokenPipeError);
  await flow.close();
});

test("fromDuplex() of a socket that the other side resets throws the system's error", async () => {
  const [client, server] = await socketPair();
  const flow = fromDuplex(client);
  const reading = flow.read(new Uint8Array(1)).catch((error) => error.code);
  server.resetAndDestroy();
  assertEquals(await reading, "ECONNRESET");
  await flow.close();
});

test("fromDuplex() of a socket can go on sending when the other side has ended", async () => {
  const [client, server] = await socketPair();
  const [a, b] = [fromDuplex(client), fromDuplex(server)];
  await b.shutdown("send");
  assertEquals(await a.read(new Uint8Array(1)), null);
  await turns(5);
  await copyString("still here", a);
  await a.close();
  assertEquals(await readText(b), "still here");
  await b.close();
});

test("fromDuplex() that is closed lets out what was taken, and drops what arrives", async () => {
  const [client, server] = await socketPair();
  const flow = fromDuplex(client);
  const other = fromDuplex(server);
  await writeAll(other, new Uint8Array(100_000));
  const size = 1_000_000;
  const send = async () => {
    await writeAll(flow, pattern(0, size));
    await flow.close();
  };
  const [, received] = await both(send, () => readAll(other));
  assertEquals(received, pattern(0, size));
  assertEquals(client.destroyed, true);
  await other.close();
});

test("fromDuplex() that is closed in a cancelled scope destroys the stream at once", async () => {
  const duplex = stuck();
  const flow = fromDuplex(duplex);
  await flow.write(bytesOf("one"));
  await inCancelledScope(() => flow.close());
  assertInstanceOf(duplex.errored, Cancelled);
});

test("fromDuplex() whose close is cancelled destroys the stream", async () => {
  const duplex = stuck();
  const flow = fromDuplex(duplex);
  await flow.write(bytesOf("one"));
  await attempt(() => flow.close());
  assertInstanceOf(duplex.errored, Cancelled);
});

test("fromDuplex() of a switch that has failed destroys the stream at once", async () => {
  const duplex = stuck();
  const error = new Error("Cannot go on");
  const failed = Switch.run(async (sw) => {
    await sw.use(fromDuplex(duplex)).write(bytesOf("one"));
    throw error;
  });
  assertStrictEquals(await failed.catch((thrown) => thrown), error);
  assertInstanceOf(duplex.errored, Cancelled);
});

test("fromDuplex() that is aborted destroys the stream with that error", async () => {
  const duplex = stuck();
  const flow = fromDuplex(duplex);
  await flow.write(bytesOf("one"));
  const error = new Error("enough");
  const closing = flow.close();
  flow.abort(error);
  await closing;
  assertStrictEquals(duplex.errored, error);
  await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
});

test("fromDuplex() of a socket that is aborted resets the connection", async () => {
  const [client, server] = await socketPair();
  const [flow, other] = [fromDuplex(client), fromDuplex(server)];
  await copyString("half of it", flow);
  assertEquals(await other.read(new Uint8Array(64)), 10);
  const error = new Error("the rest is lost");
  flow.abort(error);
  assertEquals((await assertRejects(() => other.read(new Uint8Array(1))) as NodeJS.ErrnoException).code, "ECONNRESET");
  assertStrictEquals(client.errored, error);
  await Promise.all([flow.close(), other.close()]);
});

test("fromDuplex() of a socket resets the connection when its scope is cancelled before the end", async () => {
  const [client, server] = await socketPair();
  const [flow, other] = [fromDuplex(client), fromDuplex(server)];
  await copyString("half of it", flow);
  assertEquals(await other.read(new Uint8Array(64)), 10);
  await inCancelledScope(() => flow.close());
  assertEquals((await assertRejects(() => other.read(new Uint8Array(1))) as NodeJS.ErrnoException).code, "ECONNRESET");
  assertInstanceOf(client.errored, Cancelled);
  await other.close();
});

test("fromDuplex() of a toDuplex() that is aborted resets the connection", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const accepting = listener.accept(sw);
    const peer = await net.connect(sw, listener.address);
    const flow = fromDuplex(toDuplex(await accepting));
    await copyString("half of it", flow);
    assertEquals(await peer.read(new Uint8Array(64)), 10);
    flow.abort();
    await assertCutOff(net, peer);
    await flow.close();
  }));

test("fromDuplex() of a TLSSocket that is aborted resets the connection", async () => {
  if (runtime === "deno") return; // its TLSSocket hides the underlying connection
  const chain = new URL("../../fixtures/tls/localhost.crt", import.meta.url);
  const key = new URL("../../fixtures/tls/localhost.key", import.meta.url);
  const server = createTlsServer({ cert: readFileSync(chain), key: readFileSync(key) });
  const accepted = once(server, "secureConnection");
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  const other = fromDuplex(connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }));
  const [socket] = await accepted;
  server.close();
  const flow = fromDuplex(socket);
  await copyString("half of it", flow);
  assertEquals(await other.read(new Uint8Array(64)), 10);
  flow.abort();
  await assertRejects(() => other.read(new Uint8Array(1)), Error, "ECONNRESET");
  await Promise.all([flow.close(), other.close()]);
});

test("fromDuplex() of a socket that is closed loses nothing where the other side goes on sending", async () => {
  const [client, server] = await socketPair();
  const flow = fromDuplex(client);
  let received = 0;
  const ended = new Promise((resolve) => server.once("end", resolve).once("error", resolve));
  server.on("data", ({ length }) => received += length).pause();
  const talking = setInterval(() => server.write(new Uint8Array(1000)), 1);
  await writeAll(flow, new Uint8Array(500_000));
  const closing = flow.close();
  await soon(200);
  server.resume();
  assertEquals(await ended, undefined);
  clearInterval(talking);
  server.end();
  await closing;
  assertEquals(received, 500_000);
});

test("fromDuplex() of a socket that is closed waits for the other side no longer than a second", async () => {
  const [client, server] = await socketPair();
  server.allowHalfOpen = true;
  const [flow, other] = [fromDuplex(client), fromDuplex(server)];
  await copyString("hello", flow);
  const before = performance.now();
  await flow.close();
  assert(performance.now() - before > 900);
  assertEquals(client.errored, null);
  other.abort();
});

test("fromDuplex() whose close is cancelled waits for the other side no longer", async () => {
  const [client, server] = await socketPair();
  const [flow, other] = [fromDuplex(client), fromDuplex(server)];
  await copyString("hello", flow);
  const before = performance.now();
  await first(() => flow.close(), () => soon(50));
  assert(performance.now() - before < 900);
  assertInstanceOf(client.errored, Cancelled);
  other.abort();
});

test("fromDuplex() of a value of another type is a TypeError", () => {
  for (const wrong of [undefined, "x", new TransformStream(), new Readable()]) {
    const text = `Cannot make a flow of ${describeData(wrong)}: must be a duplex stream of Node`;
    assertThrows(() => fromDuplex(wrong as never), TypeError, text);
  }
});
