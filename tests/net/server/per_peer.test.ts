// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { awaitCancel, copyString, NetError, readAll, Switch, tcp, unix, yieldNow } from "../../../mod.ts";
import type { ConnectionHandler, StreamAddress, StreamSocket } from "../../../mod.ts";
import { perPeer, type PerPeerOptions } from "../../../net/server/mod.ts";
import { socketPair } from "../../../net/testing/mod.ts";
import { outcomeOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { serving, settled } from "./_limits.ts";

const byte = new Uint8Array(1);

/** Reports which of connections from `peers`, all open at once, are admitted. */
async function admitted(max: number, options: PerPeerOptions, peers: readonly StreamAddress[]): Promise<boolean[]> {
  const results: boolean[] = [];
  const ends: StreamSocket[] = [];
  await Switch.run(async (outer) => {
    const handler = perPeer(max, () => {
      results.push(true);
      return awaitCancel();
    }, options);
    for (const peer of peers) {
      const [client, server] = socketPair();
      ends.push(client, server);
      const count = results.length;
      outer.forkDaemon(() =>
        Switch.run(async (sw) => await handler(server, peer, { sw, stopping: sw.signal })).catch(() => {})
      );
      await yieldNow();
      if (results.length === count) results.push(false);
    }
  });
  for (const end of ends) end.abort();
  return results;
}

test("perPeer() resets one more connection of a client before its handler starts, and says so once", async () => {
  let started = 0;
  const errors = await serving(() =>
    perPeer(2, () => {
      started++;
      return awaitCancel();
    }), async ({ connect }) => {
    await connect();
    await connect();
    for (let i = 0; i < 3; i++) {
      const client = await connect();
      await assertRejects(() => client.read(byte), NetError, "connection reset");
    }
    await connect("127.0.0.3");
    await settled();
  });
  assertEquals([started, errors.length], [3, 1]);
  const [error] = errors;
  assert(error instanceof NetError);
  assertEquals(error.code, "quota_exceeded");
  assertMatch(error.message, /its client has 2 connections, and perPeer allows 2 \(handling connection from tcp:127/);
});

test("perPeer() reports each client, and again after it was admitted", async () => {
  const errors = await serving(() => perPeer(1, (connection) => readAll(connection)), async ({ connect, errors }) => {
    const first = await connect();
    await connect("127.0.0.3");
    for (const from of [undefined, undefined, "127.0.0.3", "127.0.0.3"]) {
      await outcomeOf(async () => await (await connect(from)).read(byte));
    }
    await settled();
    assertEquals(errors.length, 2);
    await first.close();
    await settled();
    await connect();
    await outcomeOf(async () => await (await connect()).read(byte));
    await settled();
  });
  assertEquals(errors.length, 3);
});

test("perPeer() frees a place when the handler has ended, failed or was cancelled", async () => {
  for (const end of ["returns", "throws", "fails"]) {
    let served = 0;
    await serving(() =>
      perPeer(1, (_, _peer, { sw }) => {
        served++;
        if (end === "throws") throw new Error("Cannot serve");
        if (end === "fails") sw.fail(new Error("Cannot serve"));
      }), async ({ connect }) => {
      for (let i = 0; i < 3; i++) {
        const client = await connect();
        await outcomeOf(() => readAll(client));
        await client.close();
        await settled();
      }
    });
    assertEquals(served, 3);
  }
});

test("perPeer() keeps the place while fibers of the connection's switch run", async () => {
  const errors = await serving(() =>
    perPeer(1, (connection, _, { sw }) => {
      sw.fork(() => readAll(connection));
    }), async ({ connect }) => {
    const one = await connect();
    await settled();
    await outcomeOf(async () => await (await connect()).read(byte));
    await one.close();
    await settled();
    await (await connect()).close();
    await settled();
  });
  assertEquals(errors.length, 1);
});

test("perPeer() counts addresses by their prefix", async () => {
  const of = (...hosts: string[]) => hosts.map((host) => tcp(host, 1));
  assertEquals(await admitted(1, {}, of("10.0.0.1", "10.0.0.2", "10.0.0.1")), [true, true, false]);
  assertEquals(await admitted(1, { prefix4: 24 }, of("10.0.0.1", "10.0.0.2", "10.0.1.1")), [true, false, true]);
  assertEquals(await admitted(1, { prefix4: 25 }, of("10.0.0.1", "10.0.0.127", "10.0.0.128")), [true, false, true]);
  assertEquals(await admitted(1, { prefix4: 0 }, of("10.0.0.1", "192.0.2.1", "2001:db8::1")), [true, false, true]);
  assertEquals(await admitted(1, {}, of("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")), [true, false, true]);
  assertEquals(await admitted(1, { prefix6: 128 }, of("2001:db8::1", "2001:db8::2", "2001:db8::1")), [
    true,
    true,
    false,
  ]);
  assertEquals(await admitted(1, { prefix6: 0 }, of("2001:db8::1", "fe80::1", "10.0.0.1")), [true, false, true]);
});

test("perPeer() counts an IPv4-mapped address as IPv4, and Unix peers as one client", async () => {
  const mapped = tcp("::ffff:10.0.0.1", 1);
  assertEquals(await admitted(1, {}, [tcp("10.0.0.1", 1), mapped, tcp("::ffff:10.0.0.2", 1)]), [true, false, true]);
  assertEquals(await admitted(1, { prefix6: 0 }, [mapped, tcp("::1", 1)]), [true, true]);
  assertEquals(await admitted(2, {}, [unix(""), unix("/run/a"), unix("\0b")]), [true, true, false]);
});

test("perPeer() hands the connection over unchanged", async () => {
  const [client, server] = socketPair();
  await Switch.run(async (sw) => {
    let given: StreamSocket | undefined;
    const handler: ConnectionHandler = perPeer(1, async (connection) => {
      given = connection;
      await copyString("hello", connection);
    });
    await handler(server, server.peer, { sw, stopping: sw.signal });
    assert(given === server);
  });
  await Promise.all([client.close(), server.close()]);
});

test("perPeer() refuses numbers that make no sense", () => {
  for (const max of [0, -1, 1.5, NaN, "5" as never]) assertThrows(() => perPeer(max, awaitCancel), RangeError, "max");
  for (const bits of [-1, 33, 1.5, NaN, Infinity, "24" as never]) {
    assertThrows(() => perPeer(1, awaitCancel, { prefix4: bits }), RangeError, "prefix4");
  }
  for (const bits of [-1, 129, 0.5, NaN]) {
    assertThrows(() => perPeer(1, awaitCancel, { prefix6: bits }), RangeError, "prefix6");
  }
  assertThrows(() => perPeer(1, undefined as never), TypeError, "function");
  assertThrows(() => perPeer(1, awaitCancel, 24 as never), TypeError, "options");
  perPeer(Infinity, awaitCancel, { prefix4: 0, prefix6: 128 });
});
