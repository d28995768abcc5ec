// Copyright 2026 the Sluice authors. MIT license.

/** A wrapper of one's own over `net/wrap` is a whole network, and no byte goes past it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals } from "@std/assert";
import { give, type GivingSink, lend, type LendingSource } from "../../../flow/provider.ts";
import {
  both,
  bufferSink,
  BufReader,
  bytesSource,
  chunks,
  type Clock,
  copy,
  IpAddress,
  type Net,
  pipe,
  proxy,
  readAll,
  type Source,
  type StreamSocket,
  Switch,
  tcp,
  toReadableStream,
  udp,
  unix,
  withBufWriter,
  writeAll,
  yieldNow,
} from "../../../mod.ts";
import { systemProvider } from "../../../net/backends/auto.ts";
import { createNet } from "../../../net/provider/mod.ts";
import { checkNet, memoryNet } from "../../../net/testing/mod.ts";
import { test } from "../../_test.ts";
import { counting } from "./_counting.ts";

/** A clock on which every time comes after some turns of the event loop, so that no close takes a second. */
function hurriedClock(): Clock {
  let now = 0;
  const sleepUntil = async (time: number) => {
    for (let turn = 0; turn < 50; turn++) await yieldNow();
    now = Math.max(now, time);
  };
  return { now: () => now, sleep: (ms) => sleepUntil(now + ms), sleepUntil };
}

const inMemory = () => Promise.resolve(counting(memoryNet({ clock: hurriedClock() })).net);
for (const { name, run } of checkNet(inMemory, { name: "localhost", unixPath: () => unix("/run/checked") })) {
  test(`wrapNet() over memoryNet(): ${name}`, run);
}

let directory = "";
let paths = 0;
function ofSystem(sw: Switch): Promise<Net> {
  const own = directory = mkdtempSync(join(tmpdir(), "sluice-"));
  sw.onRelease(() => rmSync(own, { recursive: true }));
  return Promise.resolve(counting(createNet(systemProvider())).net);
}
const unixPath = () => unix(join(directory, `${paths++}.sock`));
for (const { name, run } of checkNet(ofSystem, { ip: IpAddress.loopback4, name: "localhost", unixPath })) {
  test(`wrapNet() over the system: ${name}`, run);
}

const size = 300_000;
const data = new Uint8Array(size).map((_, i) => i * 31 >> 3);

/** Every way to send, each of which sends all of `data`. */
const senders: Record<string, (to: StreamSocket) => Promise<unknown>> = {
  "write()": async (to) => {
    for (let done = 0; done < size;) done += await to.write(data.subarray(done));
  },
  "writeAll()": (to) => writeAll(to, data.subarray(0, 10), data.subarray(10)),
  "[give]()": async (to) => {
    const copy = data.slice();
    for (let done = 0; done < size;) {
      const middle = Math.min(done + 1000, size);
      done += await (to as StreamSocket & GivingSink)[give]([copy.subarray(done, middle), copy.subarray(middle)]);
    }
  },
  "copy() from memory": (to) => copy(bytesSource(data.slice(0, 70_000), data.slice(70_000)), to),
  "copy() from a source that only reads": (to) => copy(readerOf(data), to),
  "proxy()": async (to) => {
    const [near, far] = pipe();
    await both(() => proxy(near, to), async () => {
      await writeAll(far, data);
      await far.shutdown("send");
      await readAll(far);
    });
  },
  "withBufWriter()": (to) =>
    withBufWriter(to, async (writer) => {
      for (let i = 0; i < 100; i++) writer.byte(data[i]);
      writer.bytes(data.subarray(100, 5000));
      await writer.flush();
      writer.schedule(data.slice(5000));
    }),
};

/** Every way to receive, up to the end. */
const receivers: Record<string, (from: StreamSocket) => Promise<Uint8Array>> = {
  "read()": async (from) => {
    const all = new Uint8Array(size + 1);
    let done = 0;
    for (let count; (count = await from.read(all.subarray(done, done + 777))) !== null;) done += count;
    return all.subarray(0, done);
  },
  "readAll()": readAll,
  "[lend]() of a part at a time": async (from) => {
    const sink = bufferSink();
    const take = (bytes: Uint8Array) => {
      const part = bytes.slice(0, Math.ceil(bytes.length / 2));
      return sink.write(part);
    };
    while (await (from as StreamSocket & LendingSource)[lend](take) !== null);
    return sink.bytes();
  },
  "[lend]() of all at once": async (from) => {
    const pieces: Uint8Array[] = [];
    const take = (bytes: Uint8Array) => pieces.push(bytes.slice()) && bytes.length;
    while (await (from as StreamSocket & LendingSource)[lend](take) !== null);
    return await readAll(bytesSource(...pieces));
  },
  "copy()": async (from) => {
    const sink = bufferSink();
    await copy(from, sink);
    return sink.bytes();
  },
  "proxy()": async (from) => {
    const [near, far] = pipe();
    const [, all] = await both(() => proxy(from, near), async () => {
      await far.shutdown("send");
      return await readAll(far);
    });
    return all;
  },
  "BufReader": async (from) => {
    const reader = new BufReader(from, { maxSize: 2 * size });
    const head = await reader.take(1234);
    return await readAll(bytesSource(head, await reader.takeAll()));
  },
  "BufReader.unread()": async (from) => {
    const reader = new BufReader(from, { maxSize: size });
    const head = await reader.take(10);
    return await readAll(bytesSource(head, await readAll(reader.unread(from))));
  },
  "chunks()": async (from) => {
    const pieces: Uint8Array[] = [];
    for await (const piece of chunks(from)) pieces.push(piece.slice());
    return await readAll(bytesSource(...pieces));
  },
  "toReadableStream()": async (from) => new Uint8Array(await new Response(toReadableStream(from)).arrayBuffer()),
};

function readerOf(data: Uint8Array): Source {
  let done = 0;
  return {
    read(buffer) {
      const part = data.subarray(done, done + buffer.length);
      buffer.set(part);
      done += part.length;
      return Promise.resolve(part.length || null);
    },
  };
}

const networks: Record<string, () => Net> = {
  memory: () => memoryNet(),
  "the system": () => createNet(systemProvider()),
};

async function transfer(
  inner: Net,
  send: (to: StreamSocket) => Promise<unknown>,
  receive: (from: StreamSocket) => Promise<Uint8Array>,
): Promise<void> {
  const a = counting(inner);
  const b = counting(inner);
  await Switch.run(async (sw) => {
    const listener = await a.net.listen(sw, tcp("127.0.0.1", 0));
    const [client, server] = await both(() => b.net.connect(sw, listener.address), () => listener.accept(sw));
    const [, got] = await both(async () => {
      await send(client);
      await client.shutdown("send");
    }, async () => {
      const got = await receive(server);
      await server.close();
      return got;
    });
    assertEquals(got.length, size);
    assert(got.every((byte, i) => byte === data[i]), "a byte is wrong");
    assertEquals([a.usage.bytesIn, a.usage.bytesOut, b.usage.bytesIn, b.usage.bytesOut], [size, 0, 0, size]);
    assertEquals([a.usage.open, b.usage.open], [1, 1]);
  });
  assertEquals([a.usage.open, b.usage.open], [0, 0]);
}

for (const [network, make] of Object.entries(networks)) {
  for (const [name, send] of Object.entries(senders)) {
    test(`a counting network over ${network} counts what ${name} sends`, () => transfer(make(), send, readAll));
  }
  for (const [name, receive] of Object.entries(receivers)) {
    test(`a counting network over ${network} counts what ${name} receives`, () =>
      transfer(make(), senders["writeAll()"], receive));
  }

  test(`a counting network over ${network} counts what a relay copies both ways`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const { net, usage } = counting(inner);
      const target = await inner.listen(sw, tcp("127.0.0.1", 0));
      const relay = await net.listen(sw, tcp("127.0.0.1", 0));
      sw.fork(async () => {
        const [connection, upstream] = await both(() => relay.accept(sw), () => net.connect(sw, target.address));
        await proxy(connection, upstream);
      });
      const [client, server] = await both(() => inner.connect(sw, relay.address), () => target.accept(sw));
      const back = data.subarray(0, 1000);
      const [, got] = await both(async () => {
        await both(async () => {
          await writeAll(client, data);
          await client.shutdown("send");
        }, async () => assertEquals((await readAll(client)).length, back.length));
      }, async () => {
        await writeAll(server, back);
        await server.shutdown("send");
        return await readAll(server);
      });
      assertEquals(got.length, size);
      const all = size + back.length;
      assertEquals([usage.bytesIn, usage.bytesOut], [all, all]);
    }));

  test(`a counting network over ${network} counts each datagram`, () =>
    Switch.run(async (sw) => {
      const { net, usage } = counting(make());
      const [a, b] = [await net.datagramSocket(sw, udp("127.0.0.1", 0)), await net.datagramSocket(sw, "udp4")];
      await b.send(data.subarray(0, 10), a.local);
      assertEquals((await a.recv(new Uint8Array(4))).size, 4);
      await b.send([data.subarray(0, 2), data.subarray(0, 3)], a.local);
      await b.send(new Uint8Array(0), a.local);
      let got = 0;
      while (got < 2) got += (await a.recvMany()).length;
      assertEquals([usage.bytesOut, usage.datagramsOut], [15, 3]);
      assertEquals([usage.bytesIn, usage.datagramsIn], [9, 3]);
    }));
}
