// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { openCounts } from "../../../base/_counter.ts";
import { give, type GivingSink, lend, type LendingSource } from "../../../flow/provider.ts";
import {
  both,
  bufferSink,
  Cancelled,
  ClosedError,
  copy,
  copyString,
  type DatagramSocket,
  first,
  hostAddress,
  type ListeningSocket,
  type Net,
  NetError,
  readAll,
  type StreamSocket,
  Switch,
  tcp,
  udp,
  yieldNow,
} from "../../../mod.ts";
import { limit, type NetQuota, restrict } from "../../../net/confine/mod.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { wrapConnection } from "../../../net/wrap/mod.ts";
import { bytesOf, textOf, turns } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { fakeNet, FakeStream } from "../_fake_provider.ts";
import { data, receivers, senders, size } from "../_transfers.ts";
import { assertCutOff, called } from "../_helpers.ts";
import { checkWrapper, networks } from "../wrap/_checked.ts";

type Fast = StreamSocket & LendingSource & GivingSink;

const nowhere = tcp("127.0.0.1", 9);

const unlimited: NetQuota = {
  maxSockets: Infinity,
  maxConnects: Infinity,
  maxBytesIn: Infinity,
  maxBytesOut: Infinity,
  maxLookups: Infinity,
};
checkWrapper("limit()", (net) => limit(net, unlimited));
const ample: NetQuota = { maxSockets: 1e6, maxConnects: 1e6, maxBytesIn: 1e9, maxBytesOut: 1e9, maxLookups: 1e6 };
checkWrapper("limit() with ample quotas", (net) => limit(net, ample));

/** Asserts that an operation is refused by a quota. */
async function assertExceeded(run: () => Promise<unknown>, name: keyof NetQuota): Promise<NetError> {
  const error = await assertRejects(run, NetError);
  assertEquals(error.code, "quota_exceeded");
  assert(error.message.includes(name), error.message);
  return error;
}

/** Calls `fn` with a connection of a limited network, and its peer. */
async function withPair(
  inner: Net,
  quota: NetQuota,
  fn: (client: Fast, server: StreamSocket, net: Net, sw: Switch) => Promise<unknown>,
): Promise<void> {
  await Switch.run(async (sw) => {
    const net = limit(inner, quota);
    const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
    const [client, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
    await fn(client as Fast, server, net, sw);
  });
}

for (const [network, make] of Object.entries(networks)) {
  test(`limit() over ${network}: of 100 connects at once with a quota of 10 exactly 10 succeed`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
      sw.forkDaemon(async () => {
        for (;;) await listener.accept(sw);
      });
      for (const name of ["maxSockets", "maxConnects"] as const) {
        const net = limit(inner, { [name]: 10 });
        const outcomes = await Promise.allSettled(
          Array.from({ length: 100 }, () => net.connect(sw, listener.address)),
        );
        assertEquals(outcomes.filter(({ status }) => status === "fulfilled").length, 10);
      }
    }));

  test(`limit() over ${network} returns the place of a connection once, however it ends`, () =>
    Switch.run(async (outer) => {
      const inner = make();
      const listener = await inner.listen(outer, tcp("127.0.0.1", 0));
      const net = limit(inner, { maxSockets: 1 });
      const open = async (sw: Switch) =>
        await both(() => net.connect(sw, listener.address), () => listener.accept(outer));
      const endings: ((client: StreamSocket, server: StreamSocket) => unknown)[] = [
        (client) => client.close(),
        (client) => both(() => client.close(), () => client.close()),
        (client) => client.abort(),
        async (client) => {
          client.abort();
          await client.close();
        },
        async (client, server) => { // a reset, which nothing closes
          server.abort();
          await assertCutOff(inner, client);
          if (!inner.features.has("reset")) await client.shutdown("send");
          const { sockets } = openCounts(); // the runtime reports the end of the socket some turns later
          for (let turn = 0; turn < 500 && openCounts().sockets === sockets; turn++) await yieldNow();
        },
        () => {}, // its switch ends
      ];
      for (const end of endings) {
        await Switch.run(async (sw) => {
          const [client, server] = await open(sw);
          await assertExceeded(() => net.connect(sw, listener.address), "maxSockets");
          await end(client, server);
          if (end !== endings.at(-1)) await open(sw).then(([client]) => client.close());
        });
        await Switch.run(async (sw) => {
          await open(sw);
          await assertExceeded(() => net.connect(sw, listener.address), "maxSockets");
        });
      }
    }));

  test(`limit() over ${network} returns the place of a failed connect, but not the connect`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
      const { address } = listener;
      await listener.close();
      const net = limit(inner, { maxSockets: 1, maxConnects: 3 });
      for (let i = 0; i < 3; i++) await assertRejects(() => net.connect(sw, address), NetError, "refused");
      await assertExceeded(() => net.connect(sw, address), "maxConnects");
      await (await net.listen(sw, tcp("127.0.0.1", 0))).close();
    }));

  test(`limit() over ${network} counts listeners and datagram sockets as sockets`, () =>
    Switch.run(async (sw) => {
      const net = limit(make(), { maxSockets: 2 });
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const socket = await net.datagramSocket(sw, "udp4");
      await assertExceeded(() => net.listen(sw, tcp("127.0.0.1", 0)), "maxSockets");
      await assertExceeded(() => net.datagramSocket(sw, "udp4"), "maxSockets");
      await assertExceeded(() => net.connect(sw, listener.address), "maxSockets");
      await both(() => socket.close(), () => socket.close());
      await net.datagramSocket(sw, "udp4");
      await assertExceeded(() => net.datagramSocket(sw, "udp4"), "maxSockets");
      await listener.close();
      await net.listen(sw, tcp("127.0.0.1", 0));
      await assertExceeded(() => net.datagramSocket(sw, "udp4"), "maxSockets");
    }));

  for (const [name, receive] of Object.entries(receivers)) {
    test(`limit() over ${network}: ${name} receives as much as there is, and of less than was sent not a byte more`, () =>
      withPair(make(), { maxBytesIn: size + 1 }, async (client, server, net) => {
        const [, all] = await both(async () => {
          await senders["writeAll()"](server);
          await server.shutdown("send");
        }, () => receive(client));
        assertEquals(all.length, size);
        assert(all.every((byte, i) => byte === data[i]), "a byte is wrong");
        void net;
      }));

    test(`limit() over ${network}: ${name} fails at the end of exactly as many bytes as the quota`, () =>
      withPair(make(), { maxBytesIn: size }, async (client, server) => {
        await both(async () => {
          await senders["writeAll()"](server);
          await server.shutdown("send");
        }, () => assertExceeded(() => receive(client), "maxBytesIn"));
      }));
  }

  test(`limit() over ${network}: proxy() fails where the quota ends, and cuts the connection off`, () =>
    withPair(make(), { maxBytesOut: 100_001 }, async (client, server, net) => {
      await both(
        () => assertExceeded(() => senders["proxy()"](client), "maxBytesOut"),
        async () => assert(await assertCutOff(net, server) <= 100_001),
      );
    }));

  for (const [name, send] of Object.entries(senders)) {
    if (name === "proxy()") continue;
    test(`limit() over ${network}: ${name} sends what the quota allows and no byte more`, () =>
      withPair(make(), { maxBytesOut: 100_001 }, async (client, server) => {
        const [, all] = await both(async () => {
          await assertRejects(() => send(client));
          await client.shutdown("send");
        }, () => readAll(server));
        assertEquals(all.length, 100_001);
        assert(all.every((byte, i) => byte === data[i]), "a byte is wrong");
      }));
  }

  const readers: Record<string, (from: Fast, note: (size: number) => void) => Promise<unknown>> = {
    "read()": async (from, note) => {
      const buffer = new Uint8Array(10_000);
      for (let count; (count = await from.read(buffer)) !== null;) note(count);
    },
    "[lend]()": async (from, note) => {
      while (await from[lend]((bytes) => (note(bytes.length), bytes.length)) !== null);
    },
    "[lend]() by a slow borrower": async (from, note) => {
      while (
        await from[lend](async (bytes) => {
          const { length } = bytes;
          await yieldNow();
          note(length);
          return length;
        }) !== null
      );
    },
    "copy()": async (from, note) => {
      const sink = bufferSink();
      await copy(from, sink).finally(() => note(sink.bytes().length));
    },
  };
  for (const [name, receive] of Object.entries(readers)) {
    test(`limit() over ${network}: ${name} delivers exactly the quota`, () =>
      withPair(make(), { maxBytesIn: 70_003 }, async (client, server, _, sw) => {
        const sending = sw.forkPromise(() => senders["writeAll()"](server).catch(() => {}));
        let got = 0;
        await assertExceeded(() => receive(client, (size) => void (got += size)), "maxBytesIn");
        assertEquals(got, 70_003);
        await assertExceeded(() => client.read(new Uint8Array(1)), "maxBytesIn");
        client.abort();
        await sending;
      }));
  }

  for (const [name, receive] of Object.entries(readers)) {
    for (const together of [true, false]) {
      const when = together ? "comes with the last byte" : "comes later";
      test(`limit() over ${network}: ${name} fails when the quota is used up, also if the end ${when}`, () =>
        withPair(make(), { maxBytesIn: 3 }, async (client, server) => {
          let got = 0;
          const receiving = assertExceeded(() => receive(client, (size) => void (got += size)), "maxBytesIn");
          if (!together) await yieldNow(); // the read waits
          await copyString("abc", server);
          if (!together) await turns(5);
          await server.shutdown("send");
          await receiving;
          assertEquals(got, 3);
        }));
    }
  }

  test(`limit() over ${network} holds for a copy() between two of its sockets, in and out`, () =>
    Switch.run(async (sw) => {
      for (const quota of [{ maxBytesIn: 99_999 }, { maxBytesOut: 99_999 }]) {
        const inner = make();
        const net = limit(inner, quota);
        const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
        const open = () => both(() => net.connect(sw, listener.address), () => listener.accept(sw));
        const [from, feeder] = await open();
        const [to, receiver] = await open();
        const [error, , all] = await Promise.all([
          assertRejects(() => copy(from, to), NetError).then(async (error) => {
            await to.shutdown("send");
            from.abort();
            return error;
          }),
          senders["writeAll()"](feeder).catch(() => {}),
          readAll(receiver),
        ]);
        assertEquals([error.code, all.length], ["quota_exceeded", 99_999]);
        assertEquals((error as Error & { copied?: number }).copied, 99_999);
        assert(all.every((byte, i) => byte === data[i]), "a byte is wrong");
      }
    }));

  test(`limit() over ${network}: connections share a quota of bytes, in any order of reads`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const net = limit(inner, { maxBytesIn: 1000 });
      const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
      const pairs = [];
      for (let i = 0; i < 10; i++) {
        pairs.push(await both(() => net.connect(sw, listener.address), () => listener.accept(sw)));
      }
      let got = 0;
      // A read that waits when the others use up the quota ends with its peer.
      const reading = pairs.map(async ([client]) => {
        try {
          for (let count; (count = await client.read(new Uint8Array(70))) !== null;) got += count;
        } catch (error) {
          assertEquals((error as NetError).code, "quota_exceeded");
        }
      });
      await Promise.all(pairs.map(async ([, server]) => {
        await copyString("x".repeat(500), server);
        await server.shutdown("send");
      }));
      await Promise.all(reading);
      assertEquals(got, 1000);
    }));

  test(`limit() over ${network} counts datagrams whole`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const [a, b] = [await inner.datagramSocket(sw, udp("127.0.0.1", 0)), udp("127.0.0.1", 0)];
      const out = await limit(inner, { maxBytesOut: 10 }).datagramSocket(sw, b);
      await out.send(bytesOf("1234567"), a.local);
      await assertExceeded(() => out.send(bytesOf("1234"), a.local), "maxBytesOut");
      await out.send([bytesOf("12"), bytesOf("3")], a.local);
      await out.send(new Uint8Array(0), a.local);
      await assertExceeded(() => out.send(bytesOf("1"), a.local), "maxBytesOut");
      let received = 0;
      while (received < 3) received += (await a.recvMany()).length;
      const into = await limit(inner, { maxBytesIn: 10 }).datagramSocket(sw, b);
      for (const text of ["1234567", "4444", "333"]) await a.send(bytesOf(text), into.local);
      assertEquals(await recvText(into), "1234567");
      const buffer = new Uint8Array(99);
      await assertExceeded(() => into.recv(buffer), "maxBytesIn");
      assertEquals(buffer, new Uint8Array(99)); // nothing of it shows
      assertEquals(await recvText(into), "333");
      await assertExceeded(() => into.recvMany(), "maxBytesIn");
    }));
}

async function recvText(socket: DatagramSocket): Promise<string> {
  const buffer = new Uint8Array(99);
  const { size } = await socket.recv(buffer);
  return textOf(buffer.subarray(0, size));
}

test("limit(): recvMany() returns the datagrams that fit", () =>
  Switch.run(async (sw) => {
    const inner = memoryNet();
    const a = await inner.datagramSocket(sw, udp("127.0.0.1", 0));
    const into = await limit(inner, { maxBytesIn: 10 }).datagramSocket(sw, udp("127.0.0.1", 0));
    for (const text of ["1234567", "4444", "333"]) await a.send(bytesOf(text), into.local);
    for (let i = 0; i < 3; i++) await yieldNow();
    assertEquals((await into.recvMany()).map(({ data }) => textOf(data)), ["1234567", "333"]);
  }));

test("limit(): 0 is a quota", () =>
  Switch.run(async (sw) => {
    const { net: inner, provider } = fakeNet();
    const closed = limit(inner, { maxSockets: 0 });
    await assertExceeded(() => closed.connect(sw, nowhere), "maxSockets");
    await assertExceeded(() => closed.listen(sw, nowhere), "maxSockets");
    await assertExceeded(() => closed.datagramSocket(sw, "udp4"), "maxSockets");
    await assertExceeded(() => limit(inner, { maxConnects: 0 }).connect(sw, nowhere), "maxConnects");
    const mute = limit(inner, { maxLookups: 0 });
    await assertExceeded(() => mute.connect(sw, hostAddress("a.example", 9)), "maxLookups");
    await assertExceeded(() => mute.getAddrInfo("a.example"), "maxLookups");
    await assertExceeded(() => mute.getNameInfo(nowhere), "maxLookups");
    await assertExceeded(() => mute.getServices("_a._tcp.a.example"), "maxLookups");
    const asked = mute.addresses("a.example")[Symbol.asyncIterator]();
    await assertExceeded(() => asked.next(), "maxLookups");
    await assertExceeded(() => asked.next(), "maxLookups");
    assertEquals(provider.calls, []);
    await withPair(memoryNet(), { maxBytesIn: 0, maxBytesOut: 0 }, async (client) => {
      await assertExceeded(() => client.read(new Uint8Array(1)), "maxBytesIn");
      await assertExceeded(() => client[lend](() => 0), "maxBytesIn");
      await assertExceeded(() => client.write(bytesOf("x")), "maxBytesOut");
      await assertExceeded(async () => await client[give]([bytesOf("x")]), "maxBytesOut");
      assertEquals(await client.write(new Uint8Array(0)), 0);
    });
  }));

test("limit(): a connect to a name is one connect and one lookup, and a literal is not looked up", () =>
  Switch.run(async (sw) => {
    const inner = memoryNet({ hosts: { "a.example": ["127.0.0.1"] } });
    const listener = await inner.listen(sw, tcp("127.0.0.1", 80));
    const net = limit(inner, { maxConnects: 3, maxLookups: 2 });
    const connect = (name: string) => both(() => net.connect(sw, hostAddress(name, 80)), () => listener.accept(sw));
    await connect("a.example");
    await connect("127.0.0.1");
    assertEquals(await net.getAddrInfo("127.0.0.1", { type: "stream" }), [tcp("127.0.0.1", 0)]);
    for await (const ips of net.addresses("127.0.0.1")) assertEquals(ips.length, 1);
    for await (const ips of net.addresses("a.example")) assertEquals(ips.length, 1);
    await assertExceeded(() => net.connect(sw, hostAddress("a.example", 80)), "maxLookups");
    await connect("127.0.0.1"); // the refused one has used up no connect
    await assertExceeded(() => net.connect(sw, tcp("127.0.0.1", 80)), "maxConnects");
  }));

test("limit(): a cancelled connect returns its place, but not the connect", () =>
  Switch.run(async (sw) => {
    const { net: inner, provider } = fakeNet();
    const net = limit(inner, { maxSockets: 1, maxConnects: 2 });
    await first(() => net.connect(sw, nowhere), async () => {
      await called(() => provider.connects.length === 1);
      await assertExceeded(() => net.connect(sw, nowhere), "maxSockets");
    });
    const connecting = net.connect(sw, nowhere);
    await called(() => provider.connects.length === 2);
    provider.connects[1].succeed(new FakeStream());
    await (await connecting).close();
    await assertExceeded(() => net.connect(sw, nowhere), "maxConnects");
  }));

/** Counts how many of `calls` have settled, after some turns. */
async function settled(calls: readonly Promise<unknown>[]): Promise<number> {
  let count = 0;
  for (const call of calls) call.then(() => count++, () => count++);
  for (let turn = 0; turn < 10; turn++) await yieldNow();
  return count;
}

async function connectTo(listener: ListeningSocket, inner: Net, sw: Switch, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await inner.connect(sw, listener.address);
}

test("limit(): an accept without a place waits, in order, and takes the connection once one is free", () =>
  Switch.run(async (sw) => {
    const inner = memoryNet();
    const net = limit(inner, { maxSockets: 2 });
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    await connectTo(listener, inner, sw, 3);
    const one = await listener.accept(sw);
    const waiting = [listener.accept(sw), listener.accept(sw)];
    assertEquals(await settled(waiting), 0);
    await assertExceeded(() => net.connect(sw, listener.address), "maxSockets");
    one.abort();
    const two = await waiting[0];
    assertEquals(await settled([waiting[1]]), 0);
    await both(() => two.close(), () => two.close());
    await waiting[1];
    const last = listener.accept(sw);
    assertEquals(await settled([last]), 0);
    await both(() => listener.close(), () => assertRejects(() => last, ClosedError, "closed by this side"));
  }));

test("limit(): an accept that waits for a place is cancelled, and ends with its switch, and takes no place with it", () =>
  Switch.run(async (sw) => {
    const inner = memoryNet();
    const net = limit(inner, { maxSockets: 2 });
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    await connectTo(listener, inner, sw, 2);
    const one = await listener.accept(sw);
    let outcome: unknown;
    await first(
      () =>
        listener.accept(sw).catch((error) => {
          outcome = error;
          throw error;
        }),
      () => yieldNow(),
    );
    assert(outcome instanceof Cancelled);
    let accepting: Promise<unknown> = Promise.resolve();
    await Switch.run((short) => {
      accepting = listener.accept(short).catch((error) => error);
    });
    assert(await accepting instanceof Error);
    await one.close();
    await listener.accept(sw);
    await assertExceeded(() => net.connect(sw, listener.address), "maxSockets");
  }));

test("limit(): a pending accept holds a place, and accept is refused where the listener has the only one", () =>
  Switch.run(async (sw) => {
    const inner = memoryNet();
    const net = limit(inner, { maxSockets: 2 });
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    await first(() => listener.accept(sw), async () => {
      await yieldNow();
      await assertExceeded(() => net.connect(sw, listener.address), "maxSockets");
    });
    await yieldNow();
    await (await net.datagramSocket(sw, "udp4")).close(); // the place has come back
    const only = await limit(inner, { maxSockets: 1 }).listen(sw, tcp("127.0.0.1", 81));
    await assertExceeded(() => only.accept(sw), "maxSockets");
  }));

test("limit() of a limited network: both quotas hold", () =>
  Switch.run(async (sw) => {
    const outer = limit(memoryNet(), { maxSockets: 3 });
    const inner = limit(outer, { maxSockets: 2, maxConnects: 5 });
    const listener = await inner.listen(sw, tcp("127.0.0.1", 80));
    const socket = await inner.datagramSocket(sw, "udp4");
    await assertExceeded(() => inner.connect(sw, listener.address), "maxSockets");
    await outer.datagramSocket(sw, "udp4");
    await socket.close();
    const next = await inner.datagramSocket(sw, "udp4");
    await assertExceeded(() => outer.datagramSocket(sw, "udp4"), "maxSockets");
    await next.close();
  }));

test("limit(): a write that waits holds what it may take, and gives it back if it is cancelled", () =>
  withPair(memoryNet(), { maxBytesOut: 2_000_000 }, async (client, server, net, sw) => {
    let sent = 0;
    const bytes = new Uint8Array(100_000);
    await first(async () => {
      for (;;) sent += await client.write(bytes);
    }, async () => {
      for (let turn = 0; turn < 20; turn++) await yieldNow();
    });
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    const reading = sw.forkPromise(() => readAll(server));
    await assertExceeded(async () => {
      for (;;) sent += await client.write(bytes);
    }, "maxBytesOut");
    assertEquals(sent, 2_000_000);
    await client.close();
    assertEquals((await reading).length, 2_000_000);
    await listener.close();
  }));

test("limit(): a read over a connection that does not lend delivers no more than the quota", async () => {
  await Switch.run(async (sw) => {
    const foreign = {
      ...memoryNet(),
      connect: () =>
        Promise.resolve({
          local: nowhere,
          peer: nowhere,
          read: (buffer: Uint8Array) => Promise.resolve(buffer.fill(7).length),
          write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
          shutdown: () => Promise.resolve(),
          close: () => Promise.resolve(),
          abort: () => {},
          [Symbol.asyncDispose]: () => Promise.resolve(),
        } as never),
    };
    const net = limit(foreign, { maxBytesIn: 5, maxBytesOut: 5 });
    const connection = await net.connect(sw, nowhere);
    const buffer = new Uint8Array(8);
    assertEquals(await connection.read(buffer), 5);
    assertEquals(buffer, Uint8Array.of(7, 7, 7, 7, 7, 0, 0, 0));
    await assertExceeded(() => connection.read(buffer), "maxBytesIn");
    assertEquals(await connection.write(new Uint8Array(8)), 5);
    await assertExceeded(() => connection.write(new Uint8Array(8)), "maxBytesOut");
  });
});

test("limit(): a borrower that lies cannot take more than the quota", () =>
  withPair(memoryNet(), { maxBytesIn: 5 }, async (client, server) => {
    await copyString("hello, world", server);
    const lent: number[] = [];
    await assertRejects(() => client[lend]((bytes) => lent.push(bytes.length) && 12), RangeError);
    await assertExceeded(() => client.read(new Uint8Array(9)), "maxBytesIn");
    assertEquals(lent, [5]);
  }));

test("limit(): what a borrower leaves stays in the quota", () =>
  withPair(memoryNet(), { maxBytesIn: 5 }, async (client, server) => {
    await copyString("hello, world", server);
    assertEquals(await client[lend](() => 0), 0);
    await assertRejects(() => client[lend](() => Promise.reject(new Error("No"))), Error, "No");
    await assertRejects(
      () =>
        client[lend](() => {
          throw new Error("No");
        }),
      Error,
      "No",
    );
    assertEquals(await client[lend](() => Promise.resolve(2)), 2);
    assertEquals(await client.read(new Uint8Array(9)), 3);
  }));

test("limit() holds beneath another wrapper", () =>
  withPair(memoryNet(), { maxBytesOut: 5 }, async (client, server) => {
    let sent = 0;
    const counted = wrapConnection(client, { sent: (size) => void (sent += size) });
    await assertExceeded(() => copyString("hello, world", counted), "maxBytesOut");
    await counted.close();
    assertEquals([textOf(await readAll(server)), sent], ["hello", 5]);
  }));

test("limit() refuses quotas that make no sense, and reads each once", async () => {
  const net = memoryNet();
  for (const strange of [null, undefined, 5, "x", [], [1], new Map([["maxConnects", 0]]), Promise.resolve({})]) {
    assertThrows(() => limit(net, strange as never), TypeError, "quota must be an object");
  }
  for (const name of ["maxSockets", "maxConnects", "maxBytesIn", "maxBytesOut", "maxLookups"]) {
    for (const value of ["1", null, 1n, {}, true]) {
      assertThrows(() => limit(net, { [name]: value } as never), TypeError, `${name} must be an integer`);
    }
    for (const value of [-1, 0.5, NaN, -Infinity, 2 ** 53]) {
      assertThrows(() => limit(net, { [name]: value }), RangeError, `${name} must be an integer`);
    }
    for (const value of [0, 1, Infinity, undefined, Number.MAX_SAFE_INTEGER]) limit(net, { [name]: value });
  }
  assertThrows(() => limit(net, { maxSocket: 1 } as never), TypeError, "unknown field");
  assertThrows(() => limit(net, Object.create({ maxSocket: 1 })), TypeError, "unknown field");
  assertThrows(() => limit({} as Net, {}), TypeError, "must be a Net");
  let reads = 0;
  const quota = {
    get maxConnects() {
      return reads++;
    },
  };
  const closed = limit(net, quota);
  await Switch.run((sw) => assertExceeded(() => closed.connect(sw, nowhere), "maxConnects"));
  assertEquals(reads, 1);
  const inherited = limit(net, Object.create({ maxConnects: 0 }));
  await Switch.run((sw) => assertExceeded(() => inherited.connect(sw, nowhere), "maxConnects"));
});

test("limit() names its quota in the error of a name whose addresses are raced over it", async () => {
  const open = memoryNet({ hosts: { "api.example": ["10.0.0.5", "10.0.0.6"] } });
  const net = restrict(limit(open, { maxConnects: 0 }), { connect: ["api.example:80"] });
  await Switch.run(async (sw) => {
    const { code, message } = await assertRejects(() => net.connect(sw, hostAddress("api.example", 80)), NetError);
    assertEquals(code, "quota_exceeded");
    assertEquals(message, "Cannot connect to host:api.example:80: quota exceeded: maxConnects is 0");
  });
});
