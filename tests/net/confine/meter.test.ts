// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { give, type GivingSink, lend, type LendingSource } from "../../../flow/provider.ts";
import {
  both,
  BufReader,
  bytesSource,
  Cancelled,
  copy,
  first,
  hostAddress,
  type Net,
  NetError,
  proxy,
  readAll,
  type StreamSocket,
  Switch,
  tcp,
  udp,
  withBufWriter,
  writeAll,
  yieldNow,
} from "../../../mod.ts";
import { meter, type NetUsage } from "../../../net/confine/mod.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { bytesOf } from "../../_helpers.ts";
import { assertCutOff } from "../_helpers.ts";
import { test } from "../../_test.ts";
import { data, receivers, senders, size } from "../_transfers.ts";
import { checkWrapper, networks } from "../wrap/_checked.ts";

type Fast = StreamSocket & LendingSource & GivingSink;

checkWrapper("meter()", (net) => meter(net).net);

const nothing: NetUsage = {
  sockets: 0,
  connects: 0,
  accepts: 0,
  lookups: 0,
  bytesIn: 0,
  bytesOut: 0,
  datagramsIn: 0,
  datagramsOut: 0,
};

/** Pseudo-random integers below `limit`, the same in each run (mulberry32). */
function randomOf(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

type Random = (limit: number) => number;

/** Cancels `run` after some turns. Returns whether it was cancelled. */
async function cut(run: () => Promise<unknown>, turns: number): Promise<void> {
  await first(async () => {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
    }
  }, async () => {
    for (let turn = 0; turn < turns; turn++) await yieldNow();
  });
}

/** Sends random pieces in random ways for some rounds, then ends. */
async function sendRandomly(to: Fast, random: Random): Promise<void> {
  const ways: (() => Promise<unknown>)[] = [
    () => to.write(data.slice(0, 1 + random(100_000))),
    async () => await to[give]([data.slice(0, random(70_000)), data.slice(0, 1 + random(70_000))]),
    () => writeAll(to, data.slice(0, random(1000)), data.slice(0, 1 + random(100_000))),
    () => copy(sourceOf(random), to),
    () => copy(bytesSource(data.slice(0, 1 + random(100_000))), to),
    () => withBufWriter(to, (writer) => writer.bytes(data.slice(0, 1 + random(50_000)))),
  ];
  for (let round = 0; round < 25; round++) {
    const way = ways[random(ways.length)];
    if (random(3) === 0) await cut(way, random(4));
    else await way();
  }
  await to.shutdown("send");
}

function sourceOf(random: Random): { read(buffer: Uint8Array): Promise<number | null> } {
  let left = random(100_000);
  return {
    read(buffer) {
      const count = Math.min(left, buffer.length, 1 + random(30_000));
      left -= count;
      return Promise.resolve(count || null);
    },
  };
}

/** Receives in random ways up to the end. Returns the number of bytes that came. */
async function receiveRandomly(from: Fast, random: Random): Promise<number> {
  let got = 0;
  let ended = false;
  const note = (count: number | null) => {
    if (count === null) ended = true;
    else got += count;
  };
  const ways: (() => Promise<unknown>)[] = [
    () => from.read(new Uint8Array(1 + random(100_000))).then(note),
    () =>
      from[lend]((bytes) => {
        const taken = random(bytes.length + 1);
        got += taken;
        return taken;
      }).then((count) => void (ended ||= count === null)),
    () =>
      from[lend](async (bytes) => {
        const taken = random(bytes.length + 1);
        await Promise.resolve();
        got += taken;
        return taken;
      }).then((count) => void (ended ||= count === null)),
    async () => {
      const sink = { write: (bytes: Uint8Array) => Promise.resolve(1 + random(bytes.length)) };
      const { copied } = await copy(from, sink).then((copied) => ({ copied }), (error) => error);
      got += copied;
    },
    async () => {
      const reader = new BufReader(from, { maxSize: 300_000 });
      if (await reader.atEnd()) return note(null);
      const rest = reader.buffered;
      await reader.take(rest);
      note(rest);
    },
  ];
  while (!ended) {
    const way = ways[random(ways.length)];
    if (way === ways[3]) await cut(way, 1 + random(4));
    else if (random(3) === 0 && way !== ways[4]) await cut(way, random(4));
    else await way();
  }
  return got;
}

for (const [network, make] of Object.entries(networks)) {
  for (const seed of [1, 2, 3, 4, 5]) {
    test(`meter() over ${network} counts exactly what passes in a random mixture of operations, seed ${seed}`, () =>
      Switch.run(async (sw) => {
        const a = meter(make());
        const listener = await a.net.listen(sw, tcp("127.0.0.1", 0));
        const peer = meter(a.net);
        const [client, server] = await both(() => peer.net.connect(sw, listener.address), () => listener.accept(sw));
        const random = randomOf(seed);
        const [, there, , back] = await Promise.all([
          sendRandomly(client as Fast, randomOf(random(1e9))),
          receiveRandomly(server as Fast, randomOf(random(1e9))),
          sendRandomly(server as Fast, randomOf(random(1e9))),
          receiveRandomly(client as Fast, randomOf(random(1e9))),
        ]);
        assert(there > 0 && back > 0);
        const { bytesIn, bytesOut } = peer.usage();
        assertEquals([bytesIn, bytesOut], [back, there]);
        const all = a.usage();
        assertEquals([all.bytesIn, all.bytesOut], [there + back, there + back]);
      }));
  }

  for (const [name, receive] of Object.entries(receivers)) {
    test(`meter() over ${network} counts what ${name} receives`, () =>
      Switch.run(async (sw) => {
        const inner = make();
        const { net, usage } = meter(inner);
        const listener = await net.listen(sw, tcp("127.0.0.1", 0));
        const [client, server] = await both(() => inner.connect(sw, listener.address), () => listener.accept(sw));
        await both(async () => {
          await writeAll(client, data);
          await client.shutdown("send");
        }, () => receive(server));
        const { sockets: _, ...counts } = usage(); // a connection whose directions have ended may be gone
        assertEquals({ ...counts, sockets: 0 }, { ...nothing, accepts: 1, bytesIn: size });
      }));
  }

  for (const [name, send] of Object.entries(senders)) {
    test(`meter() over ${network} counts what ${name} sends`, () =>
      Switch.run(async (sw) => {
        const inner = make();
        const { net, usage } = meter(inner);
        const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
        const [client, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
        await both(async () => {
          await send(client);
          await client.shutdown("send");
        }, async () => {
          await readAll(server);
          await server.close();
        });
        await client.close();
        assertEquals(usage(), { ...nothing, connects: 1, bytesOut: size });
      }));
  }

  test(`meter() over ${network} counts what copy() and proxy() pass between two of its sockets`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const { net, usage } = meter(inner);
      const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
      const open = () => both(() => net.connect(sw, listener.address), () => listener.accept(sw));
      const [[one, client], [two, server]] = [await open(), await open()];
      const back = data.subarray(0, 1000);
      await Promise.all([
        proxy(one, two),
        writeAll(client, data).then(() => client.shutdown("send")),
        writeAll(server, back).then(() => server.shutdown("send")),
        readAll(server),
        readAll(client),
      ]);
      const all = size + back.length;
      const { bytesIn, bytesOut } = usage();
      assertEquals([bytesIn, bytesOut], [all, all]);
    }));

  test(`meter() over ${network} counts datagrams and their bytes`, () =>
    Switch.run(async (sw) => {
      const { net, usage } = meter(make());
      const [a, b] = [await net.datagramSocket(sw, udp("127.0.0.1", 0)), await net.datagramSocket(sw, "udp4")];
      await b.send(bytesOf("0123456789"), a.local);
      assertEquals((await a.recv(new Uint8Array(4))).size, 4);
      await b.send([bytesOf("01"), bytesOf("234")], a.local);
      await b.send(new Uint8Array(0), a.local);
      let got = 0;
      while (got < 2) got += (await a.recvMany()).length;
      assertEquals(usage(), { ...nothing, sockets: 2, bytesIn: 9, bytesOut: 15, datagramsIn: 3, datagramsOut: 3 });
    }));

  test(`meter() over ${network} counts a socket as open until it is gone`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const { net, usage } = meter(inner);
      const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
      const [client, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
      assertEquals(usage().sockets, 1);
      server.abort();
      await assertCutOff(inner, client);
      if (!inner.features.has("reset")) await client.shutdown("send");
      for (let turn = 0; turn < 500 && usage().sockets > 0; turn++) await yieldNow();
      assertEquals(usage().sockets, 0);
      await client.close();
      client.abort();
      assertEquals(usage().sockets, 0);
      await listener.close();
      await assertRejects(() => net.connect(sw, listener.address), NetError);
      assertEquals(usage(), { ...nothing, connects: 2 });
      const mine = await net.listen(sw, tcp("127.0.0.1", 0));
      assertEquals(usage().sockets, 1);
      await both(() => mine.close(), () => mine.close());
      assertEquals(usage().sockets, 0);
    }));
}

test("meter() counts lookups, also of a connect to a name, but not of a literal", () =>
  Switch.run(async (sw) => {
    const inner = memoryNet({ hosts: { "a.example": ["127.0.0.1"] } });
    const listener = await inner.listen(sw, tcp("127.0.0.1", 80));
    const { net, usage } = meter(inner);
    await both(() => net.connect(sw, hostAddress("a.example", 80)), () => listener.accept(sw));
    assertEquals(usage().lookups, 1);
    await net.getAddrInfo("a.example");
    await net.getNameInfo(tcp("127.0.0.1", 80));
    await assertRejects(() => net.getServices("_a._tcp.a.example"), NetError);
    for await (const _ of net.addresses("a.example"));
    assertEquals(usage().lookups, 5);
    net.addresses("a.example")[Symbol.asyncIterator](); // asks nothing
    await net.getAddrInfo("127.0.0.1");
    for await (const _ of net.addresses("127.0.0.1"));
    await both(() => net.connect(sw, hostAddress("127.0.0.1", 80)), () => listener.accept(sw));
    assertEquals([usage().lookups, usage().connects], [5, 2]);
  }));

test("meter(): a count stays at the largest safe integer", () =>
  Switch.run(async (sw) => {
    const most = Number.MAX_SAFE_INTEGER;
    const lying = { length: 2 ** 52 };
    const foreign = {
      ...memoryNet(),
      connect: () =>
        Promise.resolve({
          local: tcp("127.0.0.1", 1),
          peer: tcp("127.0.0.1", 2),
          read: () => Promise.resolve(lying.length),
          write: () => Promise.resolve(1),
          shutdown: () => Promise.resolve(),
          close: () => Promise.resolve(),
          abort: () => {},
          [Symbol.asyncDispose]: () => Promise.resolve(),
        } as never),
    };
    const { net, usage } = meter(foreign);
    const connection = await net.connect(sw, tcp("127.0.0.1", 2));
    for (let i = 0; i < 4; i++) await connection.read(new Uint8Array(1));
    assertEquals(usage().bytesIn, most);
  }));

test("meter(): usage() is a frozen snapshot, and the network is frozen", async () => {
  const metered = meter(memoryNet());
  const before = metered.usage();
  assert(Object.isFrozen(metered) && Object.isFrozen(metered.net) && Object.isFrozen(before));
  await Switch.run((sw) => metered.net.listen(sw, tcp("127.0.0.1", 80)).then(() => {}));
  await Switch.run(async (sw) => {
    await metered.net.listen(sw, tcp("127.0.0.1", 80));
    assertEquals([before.sockets, metered.usage().sockets], [0, 1]);
  });
  assertThrows(() => meter({} as Net), TypeError, "must be a Net");
});
