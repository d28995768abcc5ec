// Copyright 2026 the Sluice authors. MIT license.

/** The client connection over other connections than plain sockets. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientConnection } from "../../../net/http/_client_connection.ts";
import { memoryNet, socketPair } from "../../../net/testing/mod.ts";
import { type Connection, tcp } from "../../../net/mod.ts";
import { TlsError } from "../../../net/tls/mod.ts";
import { wrapConnection } from "../../../net/wrap/mod.ts";
import { Switch } from "../../../switch/mod.ts";
import { test } from "../../_test.ts";
import { secured } from "../tls/_helpers.ts";
import { bodyOf, get, limits, raw, request, unraw } from "./_helpers.ts";

/** Answers each request that comes in one read. */
async function answer(server: Connection, count: number, response: string): Promise<void> {
  const buffer = new Uint8Array(4096);
  for (let i = 0; i < count; i++) {
    const size = await server.read(buffer);
    assert(unraw(buffer.subarray(0, size ?? 0)).endsWith("\r\n\r\n"));
    await server.write(raw(response));
  }
}

/** Two exchanges, whose bodies come with the head and after it. */
async function converse(client: ClientConnection, server: Connection): Promise<void> {
  const answering = answer(server, 2, `HTTP/1.1 200 OK\r\ncontent-length: 40000\r\n\r\n${"a".repeat(40_000)}`);
  for (let i = 0; i < 2; i++) {
    const exchange = await client.exchange(get, null);
    assertEquals((await bodyOf(exchange))?.length, 40_000);
    assertEquals(await exchange.done, true);
  }
  await answering;
  await Promise.all([client.close(), server.close()]);
}

test("ClientConnection works over TLS", () =>
  Switch.run(async (sw) => {
    const [near, far] = await secured(sw, socketPair());
    await converse(new ClientConnection(near, limits()), far);
  }));

test("ClientConnection works over a wrapped connection", () =>
  Switch.run(async () => {
    const [near, far] = socketPair();
    let received = 0;
    const wrapped = wrapConnection(near, { received: (count) => received += count });
    await converse(new ClientConnection(wrapped, limits()), far);
    assert(received > 80_000);
  }));

test("ClientConnection works over a network in memory", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    const near = await net.connect(sw, tcp("127.0.0.1", 80));
    await converse(new ClientConnection(near, limits()), await listener.accept(sw));
  }));

test("BodySource.next() ends at close_notify, and fails with TlsError truncated without it", async () => {
  for (const cut of [false, true]) {
    await Switch.run(async (sw) => {
      const pair = socketPair();
      const [near, far] = await secured(sw, pair);
      const client = new ClientConnection(near, limits());
      const answering = answer(far, 1, "HTTP/1.0 200 OK\r\n\r\nall that there");
      const exchange = await client.exchange(request("GET"), null);
      await answering;
      if (cut) await pair[1].shutdown("send");
      else await far.shutdown("send");
      if (!cut) assertEquals(await bodyOf(exchange), "all that there");
      else {
        const error = await assertRejects(() => bodyOf(exchange), TlsError);
        assertEquals(error.code, "truncated");
      }
      assertEquals(await exchange.done, false);
    });
  }
});
