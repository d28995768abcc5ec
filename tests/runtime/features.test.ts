// Copyright 2026 the Sluice authors. MIT license.

/** That `net.features` says what this runtime can do: each is tried. */
import { assertEquals } from "@std/assert";
import process from "node:process";
import { first, type Net, type NetFeature, type Switch, tcp, udp, unix } from "../../mod.ts";
import { turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, ownHost, ownPort, withNet } from "../net/_helpers.ts";

/** Tries of features: each gives whether it works. What it throws is a no. */
const tries: Partial<Record<NetFeature, (net: Net, sw: Switch) => Promise<boolean>>> = {
  async pullAccept(net, sw) {
    // A runtime that accepts by itself has to reset what is above the backlog.
    const listener = await net.listen(sw, anyPort, { backlog: 1 });
    for (let i = 0; i < 2; i++) await net.connect(sw, listener.address);
    for (let i = 0; i < 20; i++) await turn();
    return listener.dropped === 0;
  },
  async reset(net, sw) {
    const listener = await net.listen(sw, anyPort);
    const accepting = listener.accept(sw);
    const client = await net.connect(sw, listener.address);
    (await accepting).abort();
    return await client.read(new Uint8Array(1)).then(() => false, (error) => error.code === "connection_reset");
  },
  async reusePort(net, sw) {
    const one = await net.listen(sw, anyPort, { reusePort: true });
    const other = await net.listen(sw, one.address, { reusePort: true });
    return one.address.port === other.address.port;
  },
  async ipv6Only(net, sw) {
    const listener = await net.listen(sw, tcp("::", ownPort()), { socketOptions: { IPV6_V6ONLY: true } });
    await net.connect(sw, tcp("::1", listener.address.port));
    return await net.connect(sw, tcp(ownHost, listener.address.port)).then(() => false, () => true);
  },
  async abstractUnix(net, sw) {
    const listener = await net.listen(sw, unix(`\0sluice-features-${process.pid}`));
    await net.connect(sw, listener.address);
    return true;
  },
  async datagrams(net, sw) {
    const socket = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    await socket.send(new Uint8Array(1), socket.local);
    return (await socket.recv(new Uint8Array(1))).size === 1;
  },
  async datagramReusePort(net, sw) {
    const one = await net.datagramSocket(sw, udp("127.0.0.1", 0), { reusePort: true });
    const other = await net.datagramSocket(sw, one.local, { reusePort: true });
    return one.local.port === other.local.port;
  },
  async datagramErrors(net, sw) {
    const socket = await net.datagramSocket(sw, "udp4", { remote: udp(ownHost, ownPort()) });
    await socket.send(new Uint8Array(1));
    const hears = () =>
      socket.recv(new Uint8Array(1)).then(() => false, (error) => error.code === "connection_refused");
    if (net.features.has("datagramErrors")) return await hears(); // however late
    return await first(hears, () => net.clock.sleep(200).then(() => false));
  },
  async multicast(net, sw) {
    const membership = { group: "239.83.76.87", interface: "127.0.0.1" };
    const member = await net.datagramSocket(sw, udp("0.0.0.0", 0));
    const sender = await net.datagramSocket(sw, "udp4", { socketOptions: { IP_MULTICAST_IF: "127.0.0.1" } });
    member.setOption("IP_ADD_MEMBERSHIP", membership);
    await sender.send(new Uint8Array(1), udp(membership.group, member.local.port));
    return (await member.recv(new Uint8Array(1))).size === 1;
  },
  async unixDatagrams(net, sw) {
    await net.datagramSocket(sw, unix(`\0sluice-datagrams-${process.pid}`));
    return true;
  },
};

for (const [feature, works] of Object.entries(tries)) {
  test(`net.features has ${feature} if it works, and only then`, async () => {
    await withNet(async (sw, net) => {
      const worked = await works(net, sw).catch((error) => {
        if (net.features.has(feature as NetFeature)) throw error;
        return false;
      });
      assertEquals(worked, net.features.has(feature as NetFeature));
    });
  });
}
