// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { copyString, readAll, Switch, unix } from "../../../mod.ts";
import { createNet } from "../../../net/provider/mod.ts";
import type { NetProvider } from "../../../net/provider/mod.ts";
import type { StreamSocket } from "../../../mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { FakeListener, fakeListener, fakeNet, FakeProvider, FakeStream, serverAddress } from "../_fake_provider.ts";
import { anyPort, assertNetError, called, withNet } from "../_helpers.ts";

test("createNet() returns a frozen network that does not expose the provider", () => {
  const { net, provider } = fakeNet();
  assert(Object.isFrozen(net));
  assert(!Object.values(net).includes(provider as never));
  assertStrictEquals(Object.getPrototypeOf(net), Object.prototype);
});

test("createNet() copies the features, so that users cannot change the provider's", () => {
  const provider = new FakeProvider();
  const net = createNet(provider);
  assertEquals([...net.features], ["pullAccept", "acceptErrors"]);
  assertNotStrictEquals(net.features, provider.features);
});

test("createNet() has the provider's clock", () => {
  const { net, provider } = fakeNet();
  assertStrictEquals(net.clock, provider.clock);
});

test("the methods of a network need no this", async () => {
  await withNet(async (sw, { connect, listen }) => {
    const listener = await listen(sw, anyPort);
    await connect(sw, listener.address);
    const { accept } = { accept: () => listener.accept(sw) };
    await accept();
  });
});

test("connect() and listen() tell the backend which options they set", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const socketOptions = { TCP_NODELAY: false, SO_KEEPALIVE: true };
    const connecting = net.connect(sw, serverAddress, { socketOptions });
    const listening = net.listen(sw, serverAddress, { socketOptions });
    await called(() => provider.listens.length + provider.connects.length === 2);
    assertEquals(provider.connectOptions?.optionNames, ["TCP_NODELAY", "SO_KEEPALIVE"]);
    assertEquals(provider.listenOptions?.optionNames, ["TCP_NODELAY", "SO_KEEPALIVE"]);
    provider.connects[0].succeed(new FakeStream());
    provider.listens[0].succeed(new FakeListener(serverAddress));
    await Promise.all([connecting, listening]);
  });
});

test("setOption() of a listener throws what its backend throws, and then no connection inherits it", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.settings.error = Object.assign(new Error("no"), { code: "ENOTSUP" });
    const set = () => Promise.resolve().then(() => listener.setOption("SO_KEEPALIVE", true));
    await assertNetError(set, "not_supported");
    system.settings.error = undefined;
    listener.setOption("TCP_NODELAY", false);
    const stream = system.arrive();
    await listener.accept(sw);
    assertEquals(stream.settings.calls, ["TCP_NODELAY false"]);
  });
});

test("datagramSocket() is not_supported where the provider has no datagrams", async () => {
  const provider = new FakeProvider();
  const net = createNet({ ...provider, connect: provider.connect, listen: provider.listen } as unknown as NetProvider);
  await Switch.run((sw) => assertNetError(() => net.datagramSocket(sw, "udp4"), "not_supported"));
});

test("a conversation goes through the system's network, both ways and both ends", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const accepting = listener.accept(sw);
    const client = await net.connect(sw, listener.address);
    const server = await accepting;
    const talk = async (from: StreamSocket, to: StreamSocket, words: string) => {
      await copyString(words, from);
      await from.shutdown("send");
      assertEquals(textOf(await readAll(to)), words);
    };
    await talk(client, server, "hello");
    await talk(server, client, "world");
  });
});

test("Switch.dump() names the sockets of a switch, and the fibers that wait for them", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, unix(`\0sluice-dump-${Math.random()}`));
    sw.forkDaemon(() => listener.accept(sw));
    const dump = sw.dump();
    assert(dump.includes("resource: unix:@sluice-dump-"), dump);
    assert(dump.includes("waiting: accept"), dump);
  });
});
