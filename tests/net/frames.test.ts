// Copyright 2026 the Sluice authors. MIT license.

/** Errors of networks have a stack frame of the caller, on engines that support it (V8). */
import { assert } from "@std/assert";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import {
  acceptFork,
  connectAny,
  hostAddress,
  type Net,
  runServer,
  type Switch,
  tcp,
  udp,
  withTcpConnect,
} from "../../mod.ts";
import { memoryNet } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { turns } from "../_helpers.ts";
import { ownHost, ownPort, withNet } from "./_helpers.ts";

const dead = () => tcp(ownHost, ownPort());

/** Failing calls, made by a function with a name. */
const cases: Record<string, (net: Net, sw: Switch) => Promise<unknown>> = {
  "connect()": (net, sw) => net.connect(sw, dead()),
  "connect() to a name": (net, sw) => net.connect(sw, hostAddress("localhost", ownPort())),
  "connect() to a name that there is not": (_, sw) => memoryNet().connect(sw, hostAddress("no.example", 80)),
  "connect() with a timeout": (net, sw) => net.connect(sw, dead(), { timeout: 5_000 }),
  "connectAny()": (net, sw) => connectAny(net, sw, [dead(), dead()]),
  "withTcpConnect()": (net) => withTcpConnect(net, { host: ownHost, service: ownPort() }, () => {}),
  "getAddrInfo()": () => memoryNet().getAddrInfo("no.example"),
  "addresses()": async () => {
    for await (const _ of memoryNet().addresses("no.example"));
  },
  "getServices()": () => memoryNet().getServices("_no._tcp.example"),
  "listen()": (net, sw) => net.listen(sw, tcp("192.0.2.1", 80)),
  "datagramSocket()": (net, sw) => net.datagramSocket(sw, udp("192.0.2.1", 53)),
  "send()": async (net, sw) =>
    await (await net.datagramSocket(sw, "udp4")).send(new Uint8Array(70_000), udp(ownHost, 9)),
  "recv() of a socket that is closed": async (net, sw) => {
    const socket = await net.datagramSocket(sw, "udp4");
    sw.fork(() => socket.close());
    await socket.recv(new Uint8Array(1));
  },
  "accept() of a listener that is closed": async (net, sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    turns(5).then(() => listener.close());
    await listener.accept(sw);
  },
  "acceptFork() of a listener that is closed": async (net, sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    turns(5).then(() => listener.close());
    await acceptFork(sw, listener, () => {}, { onError: () => {} });
  },
  "runServer() of a listener that is closed": async (net, sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    turns(5).then(() => listener.close());
    await runServer(listener, () => {}, { onError: () => {} });
  },
  "read() of a connection that is reset": async (net, sw) => {
    const server = createServer((socket) => void turns(5).then(() => socket.resetAndDestroy()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    sw.onRelease(() => void server.close());
    const client = await net.connect(sw, tcp("127.0.0.1", (server.address() as AddressInfo).port));
    await client.read(new Uint8Array(1));
  },
};
for (const [name, operation] of Object.entries(cases)) {
  test(`an error of ${name} shows who called it`, () =>
    withNet(async (sw, net) => {
      async function theCaller(): Promise<void> {
        await operation(net, sw);
      }
      let error: unknown;
      try {
        await theCaller();
      } catch (thrown) {
        error = thrown;
      }
      assert(error instanceof Error);
      // JavaScriptCore keeps no frames of the functions that await.
      if (process.versions.bun === undefined) assert(error.stack?.includes("theCaller"), error.stack);
    }));
}
