// Copyright 2026 the Sluice authors. MIT license.

/** openCounts() counts the sockets of a network, whatever the provider does. */
import { assertEquals } from "@std/assert";
import { Switch, tcp } from "../../mod.ts";
import { openCounts } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { called, microtasks } from "./_helpers.ts";
import { fakeListener, fakeNet, fakeSocket, FakeStream } from "./_fake_provider.ts";
import { FakeDatagram } from "./_fake_datagram.ts";

const at = tcp("10.0.0.2", 80);
const sockets = () => openCounts().sockets;

test("openCounts() counts a connection from when it is connected until its provider has closed it, once", async () => {
  await Switch.run(async (sw) => {
    const { socket, stream } = await fakeSocket(sw);
    stream.tellsClosed = false;
    assertEquals(sockets(), 1);
    socket.abort();
    assertEquals(sockets(), 1);
    stream.tellClosed();
    stream.tellClosed();
    assertEquals(sockets(), 0);
  });
});

test("openCounts() counts an attempt to connect as an operation, and no socket, nor what comes too late", async () => {
  const { net, provider } = fakeNet();
  const stream = new FakeStream();
  await Switch.run(async (sw) => {
    const before = openCounts().operations;
    net.connect(sw, at).catch(() => {});
    await called(() => provider.connects.length === 1);
    assertEquals([openCounts().operations - before, sockets()], [1, 0]);
  });
  provider.connects[0].succeed(stream);
  await microtasks();
  assertEquals([stream.state, sockets()], ["aborted", 0]);
});

test("openCounts() counts a connection that is closed when it is handed over", async () => {
  await Switch.run(async (sw) => {
    const { net, provider } = fakeNet();
    const connecting = net.connect(sw, at);
    await called(() => provider.connects.length === 1);
    const stream = new FakeStream();
    stream.attach = (events) => events.closed();
    provider.connects[0].succeed(stream);
    await connecting;
    assertEquals(sockets(), 0);
  });
});

test("openCounts() counts a connection of a listener from when it is accepted, and not in the backlog", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    assertEquals([openCounts().listeners, sockets()], [1, 0]);
    const stream = system.arrive();
    assertEquals(sockets(), 0);
    const socket = await listener.accept(sw);
    assertEquals(sockets(), 1);
    stream.arriveEnd();
    await socket.close();
    assertEquals(sockets(), 0);
  });
});

test("openCounts() counts a listener until its provider has closed it", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    let close = () => {};
    system.close = () => new Promise((resolve) => close = resolve);
    const closing = listener.close();
    assertEquals(openCounts().listeners, 1);
    close();
    await closing;
    assertEquals(openCounts().listeners, 0);
  });
});

test("openCounts() counts a datagram socket until its provider has closed it", async () => {
  await Switch.run(async (sw) => {
    const { net, provider } = fakeNet();
    const opening = net.datagramSocket(sw, "udp4");
    await called(() => provider.datagrams.length === 1);
    provider.datagrams[0].succeed(new FakeDatagram());
    const socket = await opening;
    assertEquals(sockets(), 1);
    await socket.close();
    assertEquals(sockets(), 0);
  });
});
