// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Connection,
  type ConnectionHandler,
  copy,
  copyString,
  readAll,
  runServer,
  type StreamAddress,
  Switch,
  tcp,
} from "../../../mod.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { tlsClient, type TlsConnection, TlsError, tlsHandler } from "../../../net/tls/mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { signal } from "../_helpers.ts";
import { clientOptions, serverOptions } from "./_helpers.ts";

const address = tcp("127.0.0.1", 80);

/** Runs an in-memory server, with a function that connects to it. */
async function withMemoryServer(
  handler: ConnectionHandler,
  fn: (connect: (sw: Switch) => Promise<Connection>) => Promise<void>,
  onError: (error: unknown) => void = (error) => {
    throw error;
  },
): Promise<void> {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    const listener = await net.listen(sw, address);
    sw.forkDaemon(() => runServer(listener, handler, { onError }));
    await fn((sw) => net.connect(sw, address));
  });
}

test("tlsHandler() serves TLS connections, each with its addresses", async () => {
  const seen: [TlsConnection, StreamAddress][] = [];
  const handler = tlsHandler({ ...serverOptions, protocols: ["echo"] }, async (tls, peer) => {
    seen.push([tls, peer]);
    await copy(tls, tls);
  });
  await withMemoryServer(handler, (connect) =>
    Switch.run(async (sw) => {
      const tls = await tlsClient(sw, await connect(sw), { ...clientOptions, protocols: ["echo"] });
      await copyString("hello", tls);
      await tls.shutdown("send");
      assertEquals(textOf(await readAll(tls)), "hello");
      const [[served, peer]] = seen;
      assertEquals([served.protocol, served.serverName, served.local], ["echo", "localhost", address]);
      assertEquals(served.peer, peer);
      assertEquals(tls.peer, address);
    }));
});

test("tlsHandler() closes the TLS connection when its handler has ended", async () => {
  const handler = tlsHandler(serverOptions, (tls) => copyString("bye", tls));
  await withMemoryServer(handler, (connect) =>
    Switch.run(async (sw) => {
      const tls = await tlsClient(sw, await connect(sw), clientOptions);
      assertEquals(textOf(await readAll(tls)), "bye"); // a truncated connection would be an error
    }));
});

test("tlsHandler() reports a handshake that fails, and does not call the handler", async () => {
  const failed = signal<unknown>();
  let calls = 0;
  const handler = tlsHandler(serverOptions, () => calls++);
  await withMemoryServer(handler, (connect) =>
    Switch.run(async (sw) => {
      const plain = await connect(sw);
      await copyString("GET / HTTP/1.0\r\n\r\n", plain);
      const error = await failed.promise;
      assert(error instanceof TlsError, String(error));
      assertEquals([error.code, calls], ["protocol", 0]);
    }), (error) => failed.resolve(error));
});

test("tlsHandler() lets a slow handshake hold up no other connection", async () => {
  const handler = tlsHandler(serverOptions, (tls) => copyString("hello", tls));
  await withMemoryServer(handler, (connect) =>
    Switch.run(async (sw) => {
      const slow = await connect(sw); // sends nothing
      const tls = await tlsClient(sw, await connect(sw), clientOptions);
      assertEquals(textOf(await readAll(tls)), "hello");
      slow.abort();
    }), () => {});
});

test("tlsHandler() accepts a TLS connection like any other", async () => {
  const inner = tlsHandler(serverOptions, (tls) => copyString("deep", tls));
  await withMemoryServer(tlsHandler(serverOptions, inner), (connect) =>
    Switch.run(async (sw) => {
      const outer = await tlsClient(sw, await connect(sw), clientOptions);
      const tls = await tlsClient(sw, outer, clientOptions);
      assertEquals(textOf(await readAll(tls)), "deep");
    }));
});

test("tlsHandler() refuses what no server could use, when it is made", () => {
  const handler = () => {};
  assertThrows(() => tlsHandler(undefined as never, handler), TypeError, "options");
  assertThrows(() => tlsHandler(serverOptions, undefined as never), TypeError, "is not a function");
  assertThrows(() => tlsHandler({ certificate: { chain: "", key: "" } }, handler), SyntaxError, "chain");
  assertThrows(() => tlsHandler({ ...serverOptions, protocols: [""] }, handler), RangeError, "protocol");
  assertThrows(() => tlsHandler({ ...serverOptions, linger: -1 }, handler), RangeError, "linger");
});
