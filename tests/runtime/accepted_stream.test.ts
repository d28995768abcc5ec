// Copyright 2026 the Sluice authors. MIT license.

/** What can go wrong at the accepting end, which has a backend of its own on Bun. */
import { assertEquals, assertRejects } from "@std/assert";
import { connect } from "node:net";
import {
  forEachFiber,
  NetError,
  readable,
  readAll,
  readExact,
  runServer,
  type StreamSocket,
  Switch,
  unix,
  writeAll,
} from "../../mod.ts";
import { give, lend } from "../../flow/provider.ts";
import { pattern } from "../../net/testing/_random.ts";
import { bytesOf, textOf } from "../_helpers.ts";
import { anyPort, assertNetError, signal, withNet, withSockets } from "../net/_helpers.ts";
import { test } from "../_test.ts";

/** A socket of the library, with its fast paths. */
interface FastSocket extends StreamSocket {
  [give](buffers: readonly Uint8Array[]): Promise<number>;
  [lend](use: (bytes: Uint8Array, keep: boolean) => Promise<number>): Promise<number | null>;
}

test("close() of an accepted connection delivers what was taken although there is unread input", () =>
  withSockets(async ({ client, server }, sw) => {
    await writeAll(client, new Uint8Array(1_000_000)); // more than the library keeps, so that the system has some
    const sent = pattern(1, 1_000_000);
    const closing = sw.forkPromise(async () => {
      await readable(server);
      await writeAll(server, sent);
      await server.close();
    });
    assertEquals(await readAll(client), sent);
    await closing;
  }));

test("close() of an accepted connection delivers what was taken although input comes just then", () =>
  withSockets(async ({ client, server }) => {
    const sent = pattern(1, 3_000_000);
    const taken = await server.write(sent);
    const closing = [client.write(bytesOf("too late")), server.close()];
    assertEquals(await readAll(client), sent.subarray(0, taken));
    await Promise.all(closing);
  }));

test("read() of an accepted connection goes on to the end after shutdown(), however slow", () =>
  withSockets(async ({ client, server }, sw) => {
    await server.shutdown("send");
    assertEquals(await readAll(client), new Uint8Array());
    const sent = pattern(2, 3_000_000);
    sw.fork(async () => {
      await writeAll(client, sent);
      await client.shutdown("send");
    });
    const got: Uint8Array[] = [];
    const buffer = new Uint8Array(100_000);
    for (let count; (count = await server.read(buffer)) !== null;) {
      got.push(buffer.slice(0, count));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assertEquals(concat(got), sent);
    await server.close();
  }));

test("write() to an accepted connection that was reset fails, and does not take bytes forever", () =>
  withSockets(async ({ client, server }) => {
    client.abort();
    await assertRejects(async () => {
      for (let i = 0; i < 1000; i++) await server.write(new Uint8Array(64 * 1024));
    }, NetError);
    await assertRejects(() => server.write(new Uint8Array(1)), NetError);
  }));

test("read() of an accepted connection returns what came before the reset, and then fails every time", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const client = connect(listener.address.port, "127.0.0.1").on("error", () => {});
    client.write("last words");
    const server = await listener.accept(sw);
    await readable(server);
    client.resetAndDestroy();
    const buffer = new Uint8Array(100);
    assertEquals(textOf(buffer.subarray(0, await server.read(buffer) ?? 0)), "last words");
    for (let i = 0; i < 2; i++) await assertNetError(() => server.read(buffer), "connection_reset");
  }));

test("[give]() of an accepted connection sends pieces of all sizes in order, as much as it says", () =>
  withSockets(async ({ client, server }, sw) => {
    const sizes = [
      1,
      2,
      65_534,
      1,
      65_535,
      1,
      3,
      65_536,
      65_537,
      5,
      1_000_000,
      7,
      ...Array(300).fill(1000),
      200_000,
      1,
    ];
    const pieces = sizes.map((size, i) => pattern(i, size));
    const received = sw.forkPromise(() => readAll(client));
    let rest: Uint8Array[] = pieces;
    while (rest.length > 0) rest = after(rest, await (server as FastSocket)[give](rest));
    await server.shutdown("send");
    assertEquals(await received, concat(pieces));
  }));

test("[lend]() of an accepted connection keeps what it lent while more comes, until it is taken", () =>
  withSockets(async ({ client, server }, sw) => {
    const sent = pattern(3, 2_000_000);
    sw.fork(async () => {
      await writeAll(client, sent);
      await client.shutdown("send");
    });
    const kept: Uint8Array[] = [];
    const use = async (piece: Uint8Array, keep: boolean) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      kept.push(keep ? piece : piece.slice());
      return piece.length;
    };
    while (await (server as FastSocket)[lend](use) !== null);
    assertEquals(concat(kept), sent);
  }));

test("runServer() serves a thousand connections that come and go at once, and leaves nothing open", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort, { backlog: 1000 });
    const stop = signal();
    const failures: unknown[] = [];
    const serving = sw.forkPromise(() =>
      runServer(listener, async (flow) => {
        const buffer = new Uint8Array(4);
        await readExact(flow, buffer);
        await writeAll(flow, buffer);
      }, { onError: (error) => void failures.push(error), stop: stop.promise })
    );
    await forEachFiber(Array.from({ length: 1000 }, (_, i) => i), (i) =>
      Switch.run(async (own) => {
        const flow = await net.connect(own, listener.address);
        await writeAll(flow, bytesOf("ping"));
        if (i % 5 === 0) return flow.abort();
        if (i % 5 === 1) await flow.shutdown("send");
        assertEquals(textOf(await readAll(flow)), "ping");
      }), { maxFibers: 50 });
    stop.resolve();
    await serving;
    // Who was reset before it had its answer may say so; nobody else.
    assertEquals(failures.filter((error) => !(error instanceof NetError && error.code === "connection_reset")), []);
  }));

test("an accepted connection of a Unix socket is ended, read on, and aborted like any other", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, unix(`\0sluice-${crypto.randomUUID()}`));
    const client = await net.connect(sw, listener.address);
    const server = await listener.accept(sw);
    await writeAll(server, bytesOf("hello"));
    await server.shutdown("send");
    assertEquals(textOf(await readAll(client)), "hello");
    await writeAll(client, bytesOf("goodbye"));
    await client.shutdown("send");
    assertEquals(textOf(await readAll(server)), "goodbye");
    server.abort();
    await server.close();
  }));

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** What follows the first `size` bytes. */
function after(pieces: readonly Uint8Array[], size: number): Uint8Array[] {
  const rest = [...pieces];
  let left = size;
  while (rest.length > 0 && left >= rest[0].length) left -= (rest.shift() as Uint8Array).length;
  if (left > 0) rest[0] = rest[0].subarray(left);
  return rest;
}
