// Copyright 2026 the Sluice authors. MIT license.

/** Invalid bytes and detached memory at the entries of sockets, of TLS and of users' backends. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { readFileSync } from "node:fs";
import { give, type GivingSink, lend } from "../../flow/provider.ts";
import { IpAddress, NetError, pipe, readExact, type TwoWay, udp, writeAll } from "../../mod.ts";
import { memoryNet } from "../../net/testing/mod.ts";
import { tlsClient } from "../../net/tls/mod.ts";
import { both, Switch } from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { clog } from "../flow/_helpers.ts";
import { honest, impostors, liars, losses, secret, truth, whileItWaited } from "../flow/_liars.ts";
import { fakeSocket, FakeStream } from "./_fake_provider.ts";
import { fakeDatagramSocket, peer } from "./_fake_datagram.ts";
import { bare } from "./_helpers.ts";
import { clientOptions, fixture, secured, securedPipe, serverOptions } from "./tls/_helpers.ts";

type Bytes = Uint8Array<ArrayBuffer>;

test("IpAddress.fromBytes() ignores overridden members of bytes, and refuses other values", () => {
  for (const [lie, make] of liars(4)) {
    assertEquals(IpAddress.fromBytes(make()).toString(), "100.101.102.103", lie);
    assertEquals(new IpAddress(make()).toString(), "100.101.102.103", lie);
  }
  for (const [, make] of liars(5)) assertThrows(() => IpAddress.fromBytes(make()), RangeError, "length 4 or 16");
  for (const [what, bad] of impostors()) {
    const error = assertThrows(() => IpAddress.fromBytes(bad as Bytes), TypeError, "must be a Uint8Array", what);
    assert(error.message.length < 120, what);
  }
});

/** A connection of a backend that lends what the test says. */
class LendingStream extends FakeStream {
  readonly lent: Uint8Array[] = [];
  consumed = 0;

  override peek(): Bytes | null | undefined {
    return this.lent[0] as Bytes | undefined ?? null;
  }

  override consume(size: number): void {
    this.consumed += size;
    this.lent.shift();
  }
}

async function withBackend(fn: (socket: TwoWay, stream: FakeStream) => Promise<void>, stream: FakeStream) {
  await Switch.run(async (sw) => {
    const { socket, stream: plain } = await fakeSocket(sw);
    Object.assign(plain, {
      peek: () => stream.peek(),
      consume: (size: number) => stream.consume(size),
      write: (bytes: Bytes) => stream.write(bytes),
      give: (buffers: readonly Bytes[]) => stream.give(buffers),
    });
    await fn(socket, stream);
    (socket as TwoWay & { abort(): void }).abort();
  });
}

test("read() of a socket ignores overridden members of bytes that a backend lends", async () => {
  for (const [lie, make] of liars(5)) {
    const stream = new LendingStream();
    stream.lent.push(make());
    await withBackend(async (socket) => {
      const buffer = new Uint8Array(64).fill(secret);
      assertEquals(await socket.read(buffer), 5, lie);
      assertEquals(buffer.subarray(0, 5), honest(5), lie);
      assertEquals(stream.consumed, 5);
    }, stream);
    stream.lent.push(make());
    await withBackend(async (socket) => {
      const buffer = new Uint8Array(3);
      assertEquals([await socket.read(buffer), ...buffer], [3, ...honest(3)], lie);
    }, stream);
  }
});

test("[lend]() of a socket ignores overridden members of bytes that a backend lends", async () => {
  for (const [lie, make] of liars(5)) {
    const stream = new LendingStream();
    stream.lent.push(make());
    await withBackend(async (socket) => {
      let got: Bytes | undefined;
      const use = (bytes: Bytes) => (got = bytes.slice(), Promise.resolve(bytes.length));
      assertEquals(await (socket as unknown as { [lend](u: typeof use): Promise<number> })[lend](use), 5, lie);
      assertEquals(got, honest(5), lie);
    }, stream);
  }
});

test("read() of a socket fails when a backend lends what is not bytes", async () => {
  for (const [what, bad] of impostors()) {
    if (bad === null || bad === undefined) continue; // the end, and nothing yet
    const stream = new LendingStream();
    stream.lent.push(bad as Bytes);
    await withBackend(async (socket) => {
      const error = await assertRejects(() => socket.read(new Uint8Array(8)), NetError, undefined, what);
      assert(error.cause instanceof TypeError, what);
    }, stream);
  }
});

test("write() and [give]() of a socket fail if a backend returns an invalid count", async () => {
  for (const count of [4, 1e9, -1, 0.5, NaN, "3", undefined, {}]) {
    const stream = new FakeStream();
    stream.write = () => count as number;
    await withBackend(async (socket) => {
      const giving = socket as TwoWay & { [give](buffers: readonly Bytes[]): Promise<number> };
      for (const way of [() => socket.write(honest(3)), () => giving[give]([honest(3)])]) {
        const error = await assertRejects(way, NetError, undefined, String(count));
        assert(error.cause instanceof TypeError, String(count));
      }
    }, stream);
  }
});

test("send() ignores overridden members of bytes, and refuses other values", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    const from = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const to = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    for (const size of [5, 9000]) {
      for (const [lie, make] of liars(size)) {
        for (const data of [make(), [make()], [make(), make()]]) {
          await from.send(data, to.local);
          const [{ data: got }] = await to.recvMany();
          const whole = Array.isArray(data) && data.length === 2 ? [...honest(size), ...honest(size)] : honest(size);
          assertEquals(got, Uint8Array.from(whole), lie);
        }
      }
    }
    for (const [what, bad] of impostors()) {
      for (const data of [bad, [bad], [honest(1), bad]] as Bytes[]) {
        const error = await assertRejects(() => from.send(data, to.local), TypeError, undefined, what);
        assert(error.message.length < 100, what);
      }
    }
  });
});

test("recv() ignores overridden members of its buffer, and of bytes from a backend", async () => {
  await Switch.run(async (sw) => {
    const { socket, system } = await fakeDatagramSocket(sw);
    for (const [lie, make] of liars(5)) {
      const buffer = make();
      system.arrive("hello, and more");
      assertEquals(await socket.recv(buffer), { size: 5, from: peer, truncated: true }, lie);
      assertEquals(truth(buffer), new TextEncoder().encode("hello"), lie);
      system.take = () => ({ data: make(), from: peer });
      const large = new Uint8Array(64).fill(secret);
      assertEquals(await socket.recv(large), { size: 5, from: peer, truncated: false }, lie);
      assertEquals(large.subarray(0, 5), honest(5), lie);
      Reflect.deleteProperty(system, "take");
    }
    for (const [what, bad] of impostors()) {
      await assertRejects(() => socket.recv(bad as Bytes), TypeError, undefined, what);
    }
  });
});

test("send() fails when a piece vanishes while it waits, and the next one goes out", async () => {
  for (const [how, make] of Object.entries(losses)) {
    await Switch.run(async (sw) => {
      const { socket, system } = await fakeDatagramSocket(sw);
      system.room = 0;
      const { bytes, lose } = make(honest(9));
      const sending = socket.send([honest(1), bytes], peer);
      const failing = assertRejects(() => sending, TypeError, "Cannot send: the buffer was detached or shrunk", how);
      const next = socket.send(new TextEncoder().encode("next"), peer);
      lose();
      system.makeRoom(2);
      await failing;
      assertEquals(system.given.map(({ text }) => text), ["next"]);
      system.given[0].done();
      await next;
    });
  }
});

test("recv() fails when its buffer vanishes while it waits, and the datagram stays", async () => {
  for (const [how, make] of Object.entries(losses)) {
    await Switch.run(async (sw) => {
      const { socket, system } = await fakeDatagramSocket(sw);
      const { bytes, lose } = make(honest(9));
      const failing = assertRejects(() => socket.recv(bytes), TypeError, whileItWaited, how);
      lose();
      system.arrive("hello");
      await failing;
      assertEquals((await socket.recv(new Uint8Array(9))).size, 5);
    });
  }
});

test("tlsClient() ignores overridden members of PEM bytes, and refuses other values", async () => {
  const pem = readFileSync(fixture("authority.crt"));
  const lie = Object.defineProperty(new Uint8Array(pem), "length", { value: 3 });
  const shared = new Uint8Array(new SharedArrayBuffer(pem.length));
  shared.set(pem);
  for (const authorities of [lie, shared]) {
    await Switch.run(async (sw) => {
      const [client, server] = await securedPipe(sw, { authorities });
      await Promise.all([client.close(), server.close()]);
    });
  }
  await Switch.run(async (sw) => {
    for (const [what, bad] of impostors()) {
      if (bad === undefined || what === "a list of numbers") continue; // the runtime makes the bytes; a list is valid
      const starting = () => tlsClient(sw, pipe()[0], { ...clientOptions, authorities: bad as Bytes });
      await assertRejects(starting, TypeError, undefined, what);
    }
  });
});

test("write() and [give]() of TLS ignore overridden members of bytes", async () => {
  await Switch.run(async (sw) => {
    const [client, server] = await securedPipe(sw);
    const giving = client as typeof client & GivingSink;
    for (const size of [5, 9000]) {
      for (const [lie, make] of liars(size)) {
        for (const put of [(bytes: Bytes) => client.write(bytes), (bytes: Bytes) => giving[give]([bytes])]) {
          const got = new Uint8Array(size);
          const [count] = await both(() => put(make()), () => readExact(server, got));
          assertEquals([count, got], [size, honest(size)], lie);
        }
      }
    }
    for (const [what, bad] of impostors()) {
      await assertRejects(() => client.write(bad as Bytes), TypeError, undefined, what);
      await assertRejects(async () => await giving[give]([bad as Bytes]), TypeError, undefined, what);
    }
    await Promise.all([client.close(), server.close()]);
  });
});

test("TLS ignores overridden members of bytes that its flow lends", async () => {
  const [a, b] = pipe();
  const lying = {
    ...bare(b),
    [lend]: (use: (bytes: Bytes, keep: boolean) => number | Promise<number>) =>
      b[lend]((bytes, keep) => use(Object.defineProperty(bytes, "length", { value: 100_000 }), keep)),
  };
  await Switch.run(async (sw) => {
    const [client, server] = await secured(sw, [a, lying], {}, serverOptions);
    const got = new Uint8Array(9000);
    await both(() => writeAll(client, honest(9000)), () => readExact(server, got));
    assertEquals(got, honest(9000));
    await Promise.all([client.close(), server.close()]);
  });
});

test("write() and read() of TLS fail when their memory vanishes while they wait, and the flow continues", async () => {
  for (const [how, make] of Object.entries(losses)) {
    await Switch.run(async (sw) => {
      const [client, server] = await secured(sw, pipe({ capacity: 20_000 }));
      const reading = make(honest(10));
      const read = assertRejects(() => server.read(reading.bytes), TypeError, whileItWaited, how);
      reading.lose();
      await client.write(honest(1));
      await read;
      const taken = await clog((bytes) => client.write(bytes.subarray(0, 1000)));
      const writing = make(honest(1000));
      const write = assertRejects(() => client.write(writing.bytes), TypeError, whileItWaited, how);
      writing.lose();
      await readExact(server, new Uint8Array(taken + 1));
      await write;
      const got = new Uint8Array(4);
      await both(() => writeAll(client, honest(4)), () => readExact(server, got));
      assertEquals(got, honest(4));
      await Promise.all([client.close(), server.close()]);
    });
  }
});
