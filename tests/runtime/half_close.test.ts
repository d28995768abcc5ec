// Copyright 2026 the Sluice authors. MIT license.

/** What is sent to a side that has ended its own sending arrives, however early that was. */
import { assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import {
  all,
  copyString,
  type ListeningSocket,
  type Net,
  readAll,
  type StreamSocket,
  Switch,
  unix,
} from "../../mod.ts";
import { test } from "../_test.ts";
import { anyPort, withNet } from "../net/_helpers.ts";
import { withPath } from "./_helpers.ts";

const times = 50;
const sizes = [1, 100, 100_000];
/** Turns of the event loop: Deno asks the system for events after 61 of them. */
const waits = [0, 1, 5, 60, 70];

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function sendAll(flow: StreamSocket, size: number): Promise<void> {
  const bytes = new Uint8Array(size).fill(7);
  for (let sent = 0; sent < size;) sent += await flow.write(bytes.subarray(sent));
  await flow.shutdown("send");
}

/** Ends one side at once; the other one waits, and then sends. How many bytes arrived. */
async function reply(ending: StreamSocket, sending: StreamSocket, wait: number, size: number): Promise<number> {
  const [, , received] = await all([
    () => ending.shutdown("send"),
    () => turns(wait).then(() => sendAll(sending, size)),
    async () => (await readAll(ending)).length,
  ]);
  return received as number;
}

/** Runs `fn` again and again with both ends of new connections, of each kind. */
async function withPairs(
  fn: (client: StreamSocket, server: StreamSocket) => Promise<void>,
  connectFirst = false,
): Promise<void> {
  await withPath(async (path, outer, net) => {
    for (const address of [anyPort, unix(path)]) {
      const listener = await net.listen(outer, address);
      for (let i = 0; i < times; i++) {
        await Switch.run(async (sw) => fn(...await pair(sw, net, listener, connectFirst)));
      }
    }
  });
}

async function pair(
  sw: Switch,
  net: Net,
  listener: ListeningSocket,
  connectFirst: boolean,
): Promise<[client: StreamSocket, server: StreamSocket]> {
  if (!connectFirst) return await all([() => net.connect(sw, listener.address), () => listener.accept(sw)]);
  const client = await net.connect(sw, listener.address);
  return [client, await listener.accept(sw)];
}

for (const size of sizes) {
  test(`write() of ${size} bytes to a client that half-closed at once arrives, after any number of turns`, async () => {
    for (const wait of waits) {
      await withPairs(async (client, server) => assertEquals(await reply(client, server, wait, size), size));
    }
  });

  test(`write() of ${size} bytes to a server that half-closed at once arrives, after any number of turns`, async () => {
    for (const wait of waits) {
      await withPairs(async (client, server) => assertEquals(await reply(server, client, wait, size), size));
    }
  });

  test(`write() of ${size} bytes to a client that half-closed before it was accepted arrives`, async () => {
    await withPath(async (path, outer, net) => {
      for (const address of [anyPort, unix(path)]) {
        const listener = await net.listen(outer, address);
        for (let i = 0; i < times; i++) {
          await Switch.run(async (sw) => {
            const client = await net.connect(sw, listener.address);
            await client.shutdown("send");
            await turns(i % 3);
            const server = await listener.accept(sw);
            const [, received] = await all([() => sendAll(server, size), () => readAll(client)]);
            assertEquals(received.length, size);
          });
        }
      }
    });
  });
}

test("read() gives the end of a client that half-closed at once, before and after the answer", async () => {
  for (const first of [true, false]) {
    await withPairs(async (client, server) => {
      const ended = client.shutdown("send");
      if (first) assertEquals(await server.read(new Uint8Array(9)), null);
      await copyString("answer", server);
      assertEquals(await server.read(new Uint8Array(9)), null);
      await server.shutdown("send");
      await ended;
      assertEquals((await readAll(client)).length, 6);
    }, true);
  }
});

test("write() in the turn of accept() arrives although nothing else happens, and so does what follows", async () => {
  await withPairs(async (client, server) => {
    await copyString("hello", server);
    const buffer = new Uint8Array(99);
    assertEquals(await client.read(buffer), 5);
    await copyString("again", server);
    assertEquals(await client.read(buffer), 5);
  });
});

test("write() in the turn of accept() can be cancelled by the end of its switch, and does no harm", async () => {
  await withNet(async (outer, net) => {
    const listener = await net.listen(outer, anyPort);
    for (let i = 0; i < times; i++) {
      await Switch.run(async (sw) => {
        const client = await net.connect(outer, listener.address);
        const server = await listener.accept(sw);
        sw.fork(() => copyString("hello", server).catch(() => {}));
        client.abort();
      });
    }
  });
});
