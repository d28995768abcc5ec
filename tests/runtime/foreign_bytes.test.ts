// Copyright 2026 the Sluice authors. MIT license.

/** Bytes that lie, and memory that vanishes, over sockets of the system, whose copies lie in memory that others use too. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { give, type GivingSink } from "../../flow/provider.ts";
import { readExact, type StreamSocket, udp, unix, writeAll } from "../../mod.ts";
import { both } from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { clog } from "../flow/_helpers.ts";
import { honest, impostors, liars, losses, resizable, secret, truth, whileItWaited } from "../flow/_liars.ts";
import { withNet, withSockets } from "../net/_helpers.ts";
import { withPath } from "./_helpers.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Giving = StreamSocket & GivingSink;

/** Below and above what runtimes copy to memory that they share. */
const sizes: readonly number[] = [5, 4000, 9000];

/** Leaves secrets of another connection in whatever memory copies are made in. */
async function leaveSecrets({ client, server }: { client: StreamSocket; server: StreamSocket }): Promise<void> {
  for (const [from, to] of [[client, server], [server, client]]) {
    for (const size of [100, 4000, 10_000]) {
      await writeAll(from, new Uint8Array(size).fill(secret));
      await readExact(to, new Uint8Array(size));
    }
  }
}

for (const side of ["a connected", "an accepted"]) {
  for (
    const [name, put] of [
      ["write()", (socket: Giving, bytes: Bytes) => socket.write(bytes)],
      ["[give]()", (socket: Giving, bytes: Bytes) => socket[give]([bytes])],
    ] as const
  ) {
    test(`${name} of ${side} socket sends bytes for what they are, and nothing of another connection`, async () => {
      await withSockets(async (sockets, sw, net) => {
        const accepting = sockets.listener.accept(sw);
        const other = await net.connect(sw, sockets.listener.address);
        const others = { client: other, server: await accepting };
        const { client, server } = sockets;
        const [from, to] = side === "a connected" ? [client, server] : [server, client];
        for (const size of sizes) {
          await leaveSecrets(others);
          for (const [lie, make] of liars(size)) {
            const got = new Uint8Array(size);
            const [count] = await both(() => put(from as Giving, make()), () => readExact(to, got));
            assertEquals(count, size, lie);
            assertEquals(got, honest(size), lie);
          }
        }
        for (const [what, bad] of impostors()) {
          await assertRejects(async () => await put(from as Giving, bad as Bytes), TypeError, undefined, what);
        }
        await from.shutdown("send");
        assertEquals(await to.read(new Uint8Array(16)), null); // nothing more came
      });
    });
  }
}

test("read() of a socket fills a buffer for what it is", async () => {
  await withSockets(async ({ client, server }) => {
    for (const [lie, make] of liars(5)) {
      const buffer = make();
      await both(() => writeAll(client, new TextEncoder().encode("hello")), async () => {
        assertEquals(await server.read(buffer), 5, lie);
      });
      assertEquals(truth(buffer), new TextEncoder().encode("hello"), lie);
    }
  });
});

test("write() of a Unix socket sends bytes for what they are", async () => {
  await withPath(async (path, sw, net) => {
    const listener = await net.listen(sw, unix(path));
    const [client, server] = await both(() => net.connect(sw, unix(path)), () => listener.accept(sw));
    for (const [lie, make] of liars(5)) {
      const got = new Uint8Array(5);
      await client.write(make());
      await readExact(server, got);
      assertEquals(got, honest(5), lie);
    }
  });
});

test("send() of a socket sends each piece of a datagram for what it is", async () => {
  await withNet(async (sw, net) => {
    const from = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const to = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    for (const size of [5, 9000]) {
      for (const [lie, make] of liars(size)) {
        for (const data of [make(), [make()], [make(), make()]]) {
          await from.send(data, to.local);
          const whole = Array.isArray(data) && data.length === 2
            ? [...honest(size), ...honest(size)]
            : [...honest(size)];
          const buffer = new Uint8Array(20_000);
          const { size: got } = await to.recv(buffer);
          assertEquals([...buffer.subarray(0, got)], whole, lie);
        }
      }
    }
  });
});

test("send() whose memory vanishes as soon as it is called sends all of it, or none, and nothing else", async () => {
  await withNet(async (sw, net) => {
    const from = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const to = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    for (const pieces of [1, 2]) {
      for (const [how, make] of Object.entries(losses)) {
        const { bytes, lose } = make(honest(1000));
        const sending = from.send([bytes, ...pieces === 2 ? [honest(5)] : []], to.local);
        lose();
        const sent = await sending.then(() => true, () => false);
        if (!sent) continue;
        const buffer = new Uint8Array(2000);
        const { size } = await to.recv(buffer);
        const whole = pieces === 2 ? [...honest(1000), ...honest(5)] : [...honest(1000)];
        assertEquals([...buffer.subarray(0, size)], whole, how);
      }
    }
  });
});

test("send() of memory that is gone sends an empty datagram, as often as it is called", async () => {
  await withNet(async (sw, net) => {
    const from = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const to = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const buffer = new Uint8Array(2000);
    for (const make of Object.values(losses)) {
      for (let i = 0; i < 70; i++) {
        const { bytes, lose } = make(honest(1000));
        lose();
        await from.send(bytes, to.local);
        assertEquals((await to.recv(buffer)).size, bytes.length);
      }
    }
    await from.send(honest(5), to.local);
    assertEquals((await to.recv(buffer)).size, 5);
  });
});

test("send() whose memory grows while it waits sends what it was", async () => {
  await withNet(async (sw, net) => {
    const from = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const to = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const sendings = Array.from({ length: 70 }, () => from.send(honest(1), to.local)); // more than one turn takes
    const memory = new ArrayBuffer(4, { maxByteLength: 8 });
    sendings.push(from.send(new Uint8Array(memory), to.local));
    memory.resize(8);
    await Promise.all(sendings);
    const sizes: number[] = [];
    while (sizes.length < sendings.length) sizes.push(...(await to.recvMany()).map(({ data }) => data.length));
    assertEquals(sizes, [...new Array(70).fill(1), 4]);
  });
});

test("write() and [give]() of a socket fail when their bytes vanish while they wait, and the socket goes on", async () => {
  await withSockets(async ({ client, server }) => {
    for (const [from, to] of [[client, server], [server, client]] as [Giving, Giving][]) {
      for (const [how, make] of Object.entries(losses)) {
        for (const put of [(bytes: Bytes) => from.write(bytes), (bytes: Bytes) => from[give]([bytes])]) {
          const taken = await clog((bytes) => from.write(bytes));
          const { bytes, lose } = make(honest(1000));
          const writing = assertRejects(async () => await put(bytes), TypeError, whileItWaited, how);
          lose();
          await readExact(to, new Uint8Array(taken));
          await writing;
          const got = new Uint8Array(4);
          await both(() => writeAll(from, honest(4)), () => readExact(to, got));
          assertEquals(got, honest(4));
        }
      }
    }
  });
});

test("read() of a socket fails when its buffer vanishes while it waits, and the bytes stay", async () => {
  await withSockets(async ({ client, server }) => {
    for (const [how, make] of Object.entries(losses)) {
      const { bytes, lose } = make(honest(8));
      const reading = assertRejects(() => server.read(bytes), TypeError, whileItWaited, how);
      lose();
      await client.write(honest(3));
      await reading;
      const got = new Uint8Array(3);
      await readExact(server, got);
      assertEquals(got, honest(3));
    }
  });
});

test("write() whose bytes vanish as soon as it has taken them sends all of them, and nothing else", async () => {
  await withSockets(async ({ client, server }) => {
    for (const [from, to] of [[client, server], [server, client]]) {
      for (const size of [5, 4000, 60_000]) {
        for (const [how, make] of Object.entries(losses)) {
          const { bytes, lose } = make(honest(size));
          const writing = from.write(bytes);
          lose();
          const got = new Uint8Array(await writing);
          await readExact(to, got);
          assertEquals(got, honest(size).subarray(0, got.length), how);
          assert(got.length > 0);
        }
      }
    }
  });
});

test("[give]() leaves the system no memory that the caller can still free", async () => {
  await withSockets(async ({ client, server }) => {
    for (const [from, to] of [[client, server], [server, client]] as [Giving, Giving][]) {
      for (const pieces of [1, 60]) {
        const size = 6_000_000 / pieces;
        const given = Array.from({ length: pieces }, () => resizable(size));
        const taken = await from[give](given.map((memory) => new Uint8Array(memory, 0, size).fill(7)));
        for (const memory of given) memory.resize(0);
        const got = new Uint8Array(taken);
        await readExact(to, got);
        assert(got.every((byte) => byte === 7));
      }
    }
  });
});
