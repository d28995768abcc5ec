// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Cancelled, ClosedError, first, Switch, tcp } from "../../mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { turn, until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { FakeListener, fakeListener, fakeNet, serverAddress } from "./_fake_provider.ts";
import {
  anyPort,
  assertNetError,
  called,
  finishedSwitch,
  microtasks,
  ownHost,
  ownPort,
  signal,
  withNet,
} from "./_helpers.ts";

test("listen() on port 0 reports the real port, to which a client can connect", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    assertEquals(String(listener.address.ip), "127.0.0.1");
    assertEquals(listener.address.port > 0, true);
    await net.connect(sw, listener.address);
  });
});

test("listen() on a busy port is address_in_use and says what it was doing", async () => {
  await withNet(async (sw, net) => {
    const { address } = await net.listen(sw, anyPort);
    const error = await assertNetError(() => net.listen(sw, address), "address_in_use");
    assertEquals(error.context, [`listening on tcp:127.0.0.1:${address.port}`]);
  });
});

test("listen() on an address that is not on this host is address_not_available", async () => {
  await withNet(async (sw, net) => {
    await assertNetError(() => net.listen(sw, tcp("192.0.2.1", 0)), "address_not_available");
  });
});

test("listen() lets several share a port with reusePort", async () => {
  await withNet(async (sw, net) => {
    const { address } = await net.listen(sw, anyPort, { reusePort: true });
    await net.listen(sw, address, { reusePort: true });
  });
});

test("listen() takes IPv6 connections", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp("::1", 0));
    const flow = await net.connect(sw, listener.address);
    assertEquals((await listener.accept(sw)).peer, flow.local);
  });
});

test("listen() on :: accepts IPv4 connections too, with plain IPv4 addresses", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, tcp("::", 0));
    const flow = await net.connect(sw, tcp("127.0.0.1", listener.address.port));
    const accepted = await listener.accept(sw);
    assertEquals(accepted.peer, flow.local);
    assertEquals(accepted.local, flow.peer);
  });
});

test("listen() closes the listener when its switch ends, and the port is free at once", async () => {
  await withNet(async (outer, net) => {
    const address = tcp(ownHost, ownPort());
    await Switch.run((sw) => net.listen(sw, address));
    await net.listen(outer, address);
  });
});

test("close() of a listener frees the port at once, though connections live on", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const client = await net.connect(sw, listener.address);
    const server = await listener.accept(sw);
    await listener.close();
    await assertNetError(() => net.connect(sw, listener.address), "connection_refused");
    await server.write(new Uint8Array(1));
    assertEquals(await client.read(new Uint8Array(9)), 1);
  });
});

test("close() of a listener closes the system's one once", async () => {
  const system = await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    await Promise.all([listener.close(), listener.close()]);
    return system;
  });
  assertEquals(system.closes, 1);
});

test("close() of a listener rejects every pending accept() with ClosedError", async () => {
  await Switch.run(async (sw) => {
    const { listener } = await fakeListener(sw);
    const accepting = [1, 2].map(() => assertRejects(() => listener.accept(sw), ClosedError, "Cannot accept"));
    await microtasks();
    await listener.close();
    await Promise.all(accepting);
  });
});

test("accept() on a closed listener is a ClosedError", async () => {
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    await listener.close();
    await assertRejects(() => listener.accept(sw), ClosedError);
  });
});

test("listen() under a finished switch is a TypeError before any system call", async () => {
  const { net, provider } = fakeNet();
  const sw = await finishedSwitch();
  await assertRejects(() => net.listen(sw, serverAddress), TypeError, "finished");
  assertEquals(provider.calls, []);
});

test("listen() under a failed switch is Cancelled before any system call", async () => {
  const { net, provider } = fakeNet();
  const failed = Switch.run(async (sw) => {
    sw.fail(new Error("Cannot go on"));
    await assertRejects(() => net.listen(sw, serverAddress), Cancelled);
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(provider.calls, []);
});

test("listen() abandons the attempt when cancelled, and closes a late listener", async () => {
  const { net, provider } = fakeNet();
  const late = new FakeListener(serverAddress);
  await Switch.run(async (sw) => {
    await first(() => net.listen(sw, serverAddress), () => called(() => provider.listens.length === 1));
    assertEquals(provider.listens[0].cancels, 1);
    provider.listens[0].succeed(late);
    await microtasks();
  });
  assertEquals(late.closes, 1);
});

test("listen() can be cancelled right after the call", async () => {
  for (let delay = 0; delay < 6; delay++) {
    const { net, provider } = fakeNet();
    await Switch.run((sw) => first(() => net.listen(sw, serverAddress), () => microtasks(delay)));
    for (const attempt of provider.listens) assertEquals(attempt.cancels, 1);
  }
});

test("listen() on the system that is cancelled frees the port again", async () => {
  await withNet(async (sw, net) => {
    const address = tcp(ownHost, ownPort());
    for (let delay = 0; delay < 6; delay++) {
      await first(() => net.listen(sw, address).then((listener) => listener.close()), () => microtasks(delay));
      await until(() => openCounts().listeners === 0);
    }
    await turn();
    await net.listen(sw, address);
  });
});

test("listen() is abandoned when its switch ends", async () => {
  const { net, provider } = fakeNet();
  const late = new FakeListener(serverAddress);
  const outcome = signal<Promise<unknown>>();
  await Switch.run(async (sw) => {
    outcome.resolve(net.listen(sw, serverAddress).then(() => {}, (error) => error));
    await called(() => provider.listens.length === 1);
  });
  assertInstanceOf(await outcome.promise, TypeError);
  provider.listens[0].succeed(late);
  await microtasks();
  assertEquals(late.closes, 1);
});

test("listen() hands its options to the provider, with all defaults", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const listening = net.listen(sw, serverAddress, { backlog: undefined });
    await called(() => provider.listens.length === 1);
    provider.listens[0].succeed(new FakeListener(serverAddress));
    await listening;
  });
  const { backlog, reuseAddr, reusePort, mode } = provider.listenOptions!;
  assertEquals({ backlog, reuseAddr, reusePort, mode }, {
    backlog: 4096,
    reuseAddr: false,
    reusePort: false,
    mode: undefined,
  });
});

test("a listener is frozen and does not expose the provider's", async () => {
  await Switch.run(async (sw) => {
    const { listener } = await fakeListener(sw);
    assertEquals(Object.isFrozen(listener), true);
    assertEquals(Reflect.ownKeys(listener), []);
    assertEquals(Object.isFrozen(Object.getPrototypeOf(listener)), true);
  });
});
