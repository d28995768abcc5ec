// Copyright 2026 the Sluice authors. MIT license.

/** A user's wrapper over `net/wrap` is a complete network, and counts every byte. */
import { assert, assertEquals } from "@std/assert";
import { both, type Net, proxy, readAll, type StreamSocket, Switch, tcp, udp, writeAll } from "../../../mod.ts";
import { test } from "../../_test.ts";
import { data, receivers, senders, size } from "../_transfers.ts";
import { checkWrapper, networks } from "./_checked.ts";
import { counting } from "./_counting.ts";

checkWrapper("wrapNet()", (net) => counting(net).net);

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
