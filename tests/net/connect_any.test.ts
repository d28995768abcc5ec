// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { connectAny, first, Switch, tcp, type TcpAddress, udp, unix } from "../../mod.ts";
import { test } from "../_test.ts";
import { fakeNet, FakeStream } from "./_fake_provider.ts";
import {
  anyPort,
  assertNetError,
  called,
  finishedSwitch,
  microtasks,
  ownHost,
  ownPort,
  refused,
  withNet,
} from "./_helpers.ts";

const addresses = [tcp("10.0.0.1", 80), tcp("::1", 81)];

test("connectAny() races literals and looks nothing up", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = connectAny(net, sw, addresses);
    await called(() => provider.connects.length === 1);
    await microtasks();
    provider.clock.setTime(250);
    await called(() => provider.connects.length === 2);
    const stream = new FakeStream();
    provider.connects[1].succeed(stream);
    await connecting;
    assertEquals(provider.targets, ["tcp:10.0.0.1:80", "tcp:[::1]:81"]);
    assertEquals([provider.connects[0].cancels, stream.state, provider.lookups.length], [1, "open", 0]);
  });
});

test("connectAny() reports every failure", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = assertNetError(() => connectAny(net, sw, addresses), "connection_refused");
    for (let i = 0; i < 2; i++) {
      await called(() => provider.connects.length === i + 1);
      provider.connects[i].fail(refused);
    }
    const { cause, message } = await connecting;
    assertInstanceOf(cause, AggregateError);
    assertEquals([cause.errors.length, message], [2, "Cannot connect to any of 2 addresses: connection refused"]);
  });
});

test("connectAny() of one address says that it failed", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = assertNetError(() => connectAny(net, sw, [addresses[0]]), "connection_refused");
    await called(() => provider.connects.length === 1);
    provider.connects[0].fail(refused);
    const { cause } = await connecting;
    assertInstanceOf(cause, AggregateError);
    assertEquals([cause.errors.length, cause.message], [1, "The only address failed"]);
  });
});

test("connectAny() has one timeout for all attempts", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = assertNetError(() => connectAny(net, sw, addresses, { timeout: 300 }), "connection_timeout");
    await called(() => provider.connects.length === 1);
    await microtasks();
    provider.clock.setTime(250);
    await called(() => provider.connects.length === 2);
    await microtasks();
    provider.clock.setTime(300);
    await connecting;
    assertEquals(provider.connects.map(({ cancels }) => cancels), [1, 1]);
  });
});

test("connectAny() tries only the addresses that bindTo can reach", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = connectAny(net, sw, addresses, { bindTo: tcp("::2", 0) });
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
    assertEquals(provider.targets, ["tcp:[::1]:81"]);
  });
});

test("connectAny() refuses what it cannot race before any system call", async () => {
  const { net, provider } = fakeNet();
  const finished = await finishedSwitch();
  await Switch.run(async (sw) => {
    await assertRejects(() => connectAny(net, sw, []), RangeError, "empty");
    for (const none of [null, undefined, 5, {}, Object.create(null)]) {
      await assertRejects(
        () => connectAny(net, sw, none),
        TypeError,
        "as addresses must be a list or an AsyncIterable: current value is",
      );
    }
    await assertRejects(() => connectAny(net, sw, [udp("::1", 80) as unknown as TcpAddress]), TypeError);
    await assertRejects(() => connectAny(net, sw, [unix("/x") as unknown as TcpAddress]), TypeError, "TCP");
    await assertRejects(() => connectAny(net, sw, [addresses[0], tcp("::1", 0)]), RangeError, "port 0");
    await assertRejects(() => connectAny(net, sw, addresses, { timeout: -1 }), RangeError, "timeout");
    await assertRejects(() => connectAny(net, sw, addresses, { bindTo: unix("/x") }), TypeError);
    await assertRejects(() => connectAny(net, finished, addresses), TypeError, "finished");
  });
  assertEquals(provider.calls, []);
});

test("connectAny() abandons every attempt as soon as it is cancelled", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    await first(() => connectAny(net, sw, addresses), () => called(() => provider.connects.length === 1));
    assertEquals(provider.connects[0].cancels, 1);
  });
});

test("connectAny() reaches the one open listener, over the system's network", async () => {
  await withNet(async (sw, net) => {
    const up = await net.listen(sw, anyPort);
    const down = tcp(ownHost, ownPort());
    const flow = await connectAny(net, sw, [down, up.address]);
    assertEquals(flow.peer, up.address);
    const gone = await assertNetError(() => connectAny(net, sw, [down, down]), "connection_refused");
    assert(gone.cause instanceof AggregateError && gone.cause.errors.length === 1);
  });
});
