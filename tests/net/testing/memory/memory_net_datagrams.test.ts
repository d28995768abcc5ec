// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type DatagramSocket, formatAddress, Switch, tcp, udp, unix, withTimeout } from "../../../../mod.ts";
import { memoryNet, openCounts } from "../../../../net/testing/mod.ts";
import { bytesOf, textOf } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { assertNetError, nextDatagram } from "../../_helpers.ts";

const here = udp("127.0.0.1", 0);

test("memoryNet(): a datagram arrives in the same turn, and belongs to the receiver", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    const a = await net.datagramSocket(sw, here);
    const b = await net.datagramSocket(sw, here);
    const data = bytesOf("hello");
    await a.send([data, bytesOf("!")], b.local);
    data.fill(0);
    assertEquals(await nextDatagram(b), "hello! from udp:127.0.0.1:32768");
  }));

test("memoryNet(): UDP and TCP ports are different ports", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    await net.listen(sw, tcp("127.0.0.1", 53));
    await net.datagramSocket(sw, udp("127.0.0.1", 53));
    await assertNetError(() => net.datagramSocket(sw, udp("0.0.0.0", 53)), "address_in_use");
    await assertNetError(() => net.datagramSocket(sw, udp("192.0.2.1", 53)), "address_not_available");
  }));

test("memoryNet(): a datagram socket on all addresses sends from the one that fits the receiver", () =>
  Switch.run(async (sw) => {
    const net = memoryNet({ hosts: { a: ["10.0.0.5", "fd00::5"] } });
    const all = await net.datagramSocket(sw, udp("::", 5000));
    for (const [ip, from] of [["10.0.0.5", "10.0.0.5"], ["127.0.0.9", "127.0.0.1"], ["fd00::5", "fd00::5"]]) {
      const one = await net.datagramSocket(sw, udp(ip, 0));
      await all.send(bytesOf("x"), one.local);
      assertEquals(await nextDatagram(one), `x from ${formatAddress(udp(from, 5000))}`);
      await one.send(bytesOf("y"), udp(from, 5000));
      assertEquals(await nextDatagram(all), `y from ${formatAddress(one.local)}`);
    }
  }));

test("memoryNet(): a datagram to an unused port is lost, and to a foreign address is network_unreachable", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    const socket = await net.datagramSocket(sw, here);
    for (let i = 0; i < 3; i++) await socket.send(bytesOf("x"), udp("127.0.0.1", 9));
    for (const ip of ["192.0.2.1", "255.255.255.255", "224.0.0.251"]) {
      await assertNetError(() => socket.send(bytesOf("x"), udp(ip, 9)), "network_unreachable");
    }
    const six = await net.datagramSocket(sw, udp("::1", 0));
    await assertNetError(() => six.send(bytesOf("x"), udp("127.0.0.1", 9)), "network_unreachable");
  }));

test("memoryNet(): a connected datagram socket reports a missing peer, once for each datagram", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    const socket = await net.datagramSocket(sw, here, { remote: udp("127.0.0.1", 9) });
    await socket.send(bytesOf("x"));
    const error = await assertNetError(() => socket.send(bytesOf("y")), "connection_refused");
    assertEquals((error.cause as { code?: unknown }).code, "ECONNREFUSED");
    await socket.send(bytesOf("x"));
    await assertNetError(() => socket.recv(new Uint8Array(1)), "connection_refused");
    const receiving = assertNetError(() => socket.recv(new Uint8Array(1)), "connection_refused");
    await socket.send(bytesOf("x"));
    await receiving;
    const other = await net.datagramSocket(sw, udp("127.0.0.1", 9));
    await socket.send(bytesOf("z"));
    assertEquals(await nextDatagram(other), `z from ${formatAddress(socket.local)}`);
  }));

test("memoryNet(): a connected datagram socket knows its local address, and receives its peer's datagrams before other sockets", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    const peer = await net.datagramSocket(sw, here);
    const options = { reuseAddr: true };
    const all = await net.datagramSocket(sw, udp("0.0.0.0", 5000), options);
    const connected = await net.datagramSocket(sw, udp("0.0.0.0", 5000), { ...options, remote: peer.local });
    assertEquals(formatAddress(connected.local), "udp:127.0.0.1:5000");
    await (await net.datagramSocket(sw, here)).send(bytesOf("strange"), connected.local);
    for (let i = 0; i < 3; i++) await peer.send(bytesOf("known"), connected.local);
    const texts = async (socket: DatagramSocket) => (await socket.recvMany()).map(({ data }) => textOf(data)).join();
    assertEquals(await texts(connected), "known,known,known");
    assertEquals(await texts(all), "strange");
  }));

test("memoryNet(): unread datagrams are kept up to 1024 and 1 MiB, and then dropped and counted", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    for (const [size, kept] of [[1, 1024], [65_507, 16]]) {
      const from = await net.datagramSocket(sw, here);
      const to = await net.datagramSocket(sw, here);
      for (const dropped of [5, 10]) {
        for (let i = 0; i < kept + 5; i++) await from.send(new Uint8Array(size), to.local);
        assertEquals(to.dropped, dropped);
        assertEquals((await to.recvMany()).length, kept);
      }
    }
  }));

test("memoryNet(): datagram sockets that share a port alternate, and others cannot bind to it", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    const open = () => net.datagramSocket(sw, udp("127.0.0.1", 5000), { reusePort: true });
    const sockets = [await open(), await open()];
    await assertNetError(() => net.datagramSocket(sw, udp("127.0.0.1", 5000)), "address_in_use");
    const sender = await net.datagramSocket(sw, here);
    for (const name of ["a", "b", "c", "d"]) await sender.send(bytesOf(name), udp("127.0.0.1", 5000));
    const got = [];
    for (const socket of sockets) got.push((await socket.recvMany()).map(({ data }) => textOf(data)).join(""));
    assertEquals(got.sort(), ["ac", "bd"]);
  }));

test("memoryNet() has no multicast or Unix datagrams, and throws not_supported for them", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    const socket = await net.datagramSocket(sw, here);
    const join = () => Promise.try(() => socket.setOption("IP_ADD_MEMBERSHIP", { group: "224.0.0.251" }));
    await assertNetError(join, "not_supported");
    await assertNetError(() => net.datagramSocket(sw, unix("/run/x")), "not_supported");
    socket.setOption("SO_RCVBUF", 5000);
    assertEquals(socket.getOption("SO_RCVBUF"), 5000);
  }));

test("memoryNet(): a datagram socket that is not closed is seen by openCounts()", () =>
  Switch.run(async (sw) => {
    const net = memoryNet();
    const socket = await net.datagramSocket(sw, here);
    await Switch.run((inner) => net.datagramSocket(inner, here));
    assertEquals(openCounts().sockets, 1);
    await socket.close();
    assertEquals(openCounts().sockets, 0);
    await net.datagramSocket(sw, socket.local);
  }));

test("memoryNet(): a flood of datagrams without an end does not stop the time of the process", async () => {
  const net = memoryNet();
  const flood = () =>
    Switch.run(async (sw) => {
      const socket = await net.datagramSocket(sw, here);
      for (;;) await socket.send(new Uint8Array(1), socket.local);
    });
  await assertRejects(() => withTimeout(net.clock, 20, flood));
  assert(openCounts().sockets === 0);
});
