// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { createNet } from "../../../../net/provider/mod.ts";
import { type DatagramSocket, type Net, NetError, Switch, tcp, unix } from "../../../../mod.ts";
import { systemProvider } from "../../../../net/backends/auto.ts";
import { checkNet, type CheckNetOptions } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";

const real = () => createNet(systemProvider());
const all: CheckNetOptions = { name: "localhost", unixPath: () => unix("/tmp/unused") };

function namesOf(options: CheckNetOptions): string[] {
  return checkNet(() => Promise.resolve(real()), options).map(({ name }) => name);
}

test("checkNet() names each of its many checks differently", () => {
  const names = namesOf(all);
  assert(names.length >= 100, `${names.length} checks`);
  assertEquals(new Set(names).size, names.length);
});

test("checkNet() leaves out what needs to be known of the network, and is not", () => {
  for (const field of ["name", "unixPath"] as const) {
    assert(namesOf({ ...all, [field]: undefined }).length < namesOf(all).length, field);
  }
});

test("checkNet() makes a network only when a check is run, and one for each run", async () => {
  let made = 0;
  const [check] = checkNet(() => (made++, Promise.resolve(real())));
  assertEquals(made, 0);
  await check.run();
  await check.run();
  assertEquals(made, 2);
});

/** A fault of a network, the check that finds it, and how to make it. */
const faults: [fault: string, check: string, wrap: (net: Net) => Partial<Net>][] = [
  [
    "can be changed",
    "a network is immutable",
    () => ({}),
  ],
  [
    "throws the system's own errors",
    "connect() without a listener is connection_refused, and names the address",
    (net) => ({ connect: (...args) => net.connect(...args).catch((error: NetError) => Promise.reject(error.cause)) }),
  ],
  [
    "says another code",
    "listen() on a port in use is address_in_use, and names the address",
    (net) => ({
      listen: (sw, address) =>
        net.listen(sw, address).catch(() =>
          Promise.reject(new NetError("permission_denied", { operation: "listen", address }))
        ),
    }),
  ],
  [
    "takes a finished switch",
    "connect(), listen() and accept() refuse a finished switch, and take no connection",
    (net) => ({
      connect: async (sw, target) => {
        await net.connect(sw, target).catch(() => {});
        return await Switch.run((inner) => net.connect(inner, target));
      },
    }),
  ],
  [
    "leaves its listeners open for longer than their switch",
    "a switch that ends closes its connections and listeners",
    (net) => {
      let outer: Switch | undefined;
      return { listen: (sw, address, options) => net.listen(outer ??= sw, address, options) };
    },
  ],
  [
    "takes an old spelling of an address for a name",
    "getAddrInfo() of an invalid host name is NONAME",
    (net) => ({ getAddrInfo: (name, options) => net.getAddrInfo(name === "127.1" ? "127.0.0.1" : name, options) }),
  ],
  [
    "ignores where to connect from",
    "connect() connects from bindTo",
    (net) => ({ connect: (sw, target) => net.connect(sw, target) }),
  ],
  [
    "tells one failed attempt only by its message",
    "connect() to a name whose addresses all fail reports every attempt",
    (net) => ({
      connect: (sw, target) => net.connect(sw, target.transport === "host" ? tcp("127.0.0.1", target.port) : target),
    }),
  ],
  [
    "drops the options of connecting",
    "connect() sets its socketOptions",
    (net) => ({ connect: (sw, target) => net.connect(sw, target) }),
  ],
  [
    "drops the options of listening",
    "listen() sets its socketOptions, and connections inherit them",
    (net) => ({ listen: (sw, address) => net.listen(sw, address) }),
  ],
  [
    "drops the backlog",
    "listen() holds no more connections than its backlog",
    (net) => ({ listen: (sw, address) => net.listen(sw, address) }),
  ],
  [
    "drops that a port is to be shared",
    "listen() with reusePort shares the port, or is not_supported without the feature",
    (net) => ({ listen: (sw, address) => net.listen(sw, address) }),
  ],
  [
    "knows no services",
    "getNameInfo() returns a host name, and the service's name or port",
    () => ({ getNameInfo: () => Promise.resolve({ hostname: "localhost", service: "5" }) }),
  ],
  [
    "has a clock that stands still",
    "the clock of a network advances",
    () => ({ clock: { now: () => 0, sleep: () => Promise.resolve(), sleepUntil: () => Promise.resolve() } }),
  ],
  [
    "has datagrams, and does not say so",
    "datagramSocket() works with the feature `datagrams`, and is not_supported without it",
    (net) => ({ features: new Set([...net.features].filter((feature) => feature !== "datagrams")) }),
  ],
  [
    "never says that a datagram was truncated",
    "recv() into too small a buffer reports the truncation, and drops the rest",
    (net) => ({
      datagramSocket: async (...args) => {
        const socket = await net.datagramSocket(...args);
        const recv: DatagramSocket["recv"] = async (buffer) => ({ ...await socket.recv(buffer), truncated: false });
        return { local: socket.local, send: socket.send.bind(socket), recv } as typeof socket;
      },
    }),
  ],
];

for (const [fault, name, wrap] of faults) {
  test(`checkNet() finds a network that ${fault}`, async () => {
    const make = () => {
      const net = real();
      return Promise.resolve({ ...net, ...wrap(net) });
    };
    // The system keeps the backlog, which is not checked then.
    if (fault === "drops the backlog" && real().features.has("pullAccept")) return;
    const check = checkNet(make, all).find((check) => check.name === name);
    assert(check !== undefined, `There is no check "${name}"`);
    await assertRejects(() => check.run(), Error);
  });
}
