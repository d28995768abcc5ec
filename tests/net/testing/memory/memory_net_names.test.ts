// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  formatAddress,
  hostAddress,
  IpAddress,
  type Net,
  NetError,
  Switch,
  tcp,
  udp,
  withTcpConnect,
} from "../../../../mod.ts";
import { memoryNet, type MemoryNetOptions, mockClock } from "../../../../net/testing/mod.ts";
import { turn } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { assertNetError } from "../../_helpers.ts";

const hosts = {
  "db.example": ["fd00::5", "10.0.0.5"],
  "Web.Example.": [IpAddress.parse("10.0.0.80"), "10.0.0.5"],
};

const ips = async (net: Net, name: string) =>
  (await net.getAddrInfo(name, { type: "stream" })).map((address) => String(address.ip)).join();

async function lookupCode(operation: () => Promise<unknown>): Promise<unknown> {
  return (await assertNetError(operation, "address_lookup_failed")).lookupCode;
}

test("memoryNet() finds the addresses of a host, in their order, whatever the case and a dot at the end", async () => {
  const net = memoryNet({ hosts });
  for (const name of ["db.example", "DB.example", "db.example."]) {
    assertEquals(await ips(net, name), "fd00::5,10.0.0.5");
  }
  assertEquals(await ips(net, "web.example"), "10.0.0.80,10.0.0.5");
});

test("memoryNet() resolves localhost and its subdomains by default", async () => {
  for (const name of ["localhost", "LOCALHOST.", "a.localhost"]) {
    assertEquals(await ips(memoryNet(), name), "::1,127.0.0.1");
  }
  assertEquals(await ips(memoryNet({ hosts: { localhost: ["127.0.0.1"] } }), "localhost"), "127.0.0.1");
});

test("memoryNet(): a name that hosts does not have, or has without addresses, is NONAME", async () => {
  const net = memoryNet({ hosts: { empty: [] } });
  for (const name of ["db.example", "empty", "toString"]) {
    assertEquals(await lookupCode(() => net.getAddrInfo(name)), "NONAME", name);
  }
});

test("memoryNet(): each address of hosts can be listened on, and is reached by the name", () =>
  Switch.run(async (sw) => {
    const net = memoryNet({ hosts });
    for (const [name, own] of [["db.example", "fd00::5"], ["web.example", "10.0.0.80"]]) {
      const listener = await net.listen(sw, tcp(own, 5432));
      const client = await net.connect(sw, hostAddress(name, 5432));
      assertEquals(formatAddress(client.peer), formatAddress(tcp(own, 5432)));
      assertEquals((await listener.accept(sw)).peer, client.local);
      assert(client.local.transport === "tcp");
      assertEquals(String(client.local.ip), own);
    }
  }));

test("memoryNet(): connect() to a name races its addresses on the clock of the network", () =>
  Switch.run(async (sw) => {
    const clock = mockClock();
    const net = memoryNet({ clock, hosts });
    await net.connect(sw, (await net.listen(sw, tcp("fd00::5", 80), { backlog: 1 })).address); // the backlog is full from now on
    await net.listen(sw, tcp("10.0.0.5", 80));
    const connecting = net.connect(sw, hostAddress("db.example", 80));
    let peer: string | undefined;
    connecting.then((client) => peer = formatAddress(client.peer), () => {});
    await turn();
    assertEquals(peer, undefined);
    clock.advance();
    assertEquals(clock.now(), 250);
    await connecting;
    assertEquals(peer, "tcp:10.0.0.5:80");
  }));

test("memoryNet(): connect() to a name whose addresses all fail reports each failure", () =>
  Switch.run(async (sw) => {
    const error = await assertNetError(
      () => memoryNet({ hosts }).connect(sw, hostAddress("db.example", 80)),
      "connection_refused",
    );
    assert(error.cause instanceof AggregateError);
    assertEquals(error.cause.errors.map(({ message }) => message), [
      "Cannot connect to tcp:[fd00::5]:80: connection refused",
      "Cannot connect to tcp:10.0.0.5:80: connection refused",
    ]);
  }));

test("memoryNet(): withTcpConnect() tries the addresses of a name in order", () =>
  Switch.run(async (sw) => {
    const net = memoryNet({ hosts });
    await net.listen(sw, tcp("10.0.0.5", 80));
    const peer = await withTcpConnect(net, { host: "db.example", service: "http" }, (flow) => formatAddress(flow.peer));
    assertEquals(peer, "tcp:10.0.0.5:80");
  }));

test("memoryNet(): getNameInfo() finds the host of an address, or returns the address", async () => {
  const net = memoryNet({ hosts });
  const names = [
    await net.getNameInfo(tcp("10.0.0.80", 80)),
    await net.getNameInfo(udp("fd00::5", 53)),
    await net.getNameInfo(tcp("::1", 1)),
    await net.getNameInfo(tcp("192.0.2.1", 1)),
  ];
  assertEquals(names.map(({ hostname }) => hostname), ["web.example", "db.example", "localhost", "192.0.2.1"]);
});

test("memoryNet(): getServices() finds the records of a service, in the order of their priorities", async () => {
  const net = memoryNet({
    services: {
      "_http._tcp.web.example": [
        { name: "b.example", port: 81, priority: 2, weight: 0 },
        { name: "a.example", port: 80, priority: 1, weight: 0 },
      ],
    },
  });
  const found = await net.getServices("_HTTP._tcp.web.example.");
  assertEquals(found.map(({ name, port }) => `${name}:${port}`), ["a.example:80", "b.example:81"]);
  assertEquals(await lookupCode(() => net.getServices("_http._tcp.other.example")), "NONAME");
});

test("memoryNet() copies its hosts and services", async () => {
  const given = { "db.example": ["10.0.0.5"] };
  const net = memoryNet({ hosts: given });
  given["db.example"][0] = "10.0.0.6";
  assertEquals(await ips(net, "db.example"), "10.0.0.5");
  await Switch.run((sw) => assertRejects(() => net.listen(sw, tcp("10.0.0.6", 1)), NetError));
});

test("memoryNet() refuses invalid names, addresses and services", () => {
  const wrong: [MemoryNetOptions, typeof Error, string][] = [
    [{ hosts: { "a b": ["10.0.0.5"] } }, SyntaxError, "a b"],
    [{ hosts: { a: ["10.0.0"] } }, SyntaxError, "10.0.0"],
    [{ hosts: { a: "10.0.0.5" as never } }, TypeError, "hosts must have an array for a: current value is a string"],
    [{ hosts: { a: [5 as never] } }, TypeError, "must be a string or an IpAddress: current value is a number"],
    [{ services: { a: {} as never } }, TypeError, "services must have an array for a: current value is a object"],
    [{ services: { a: [{ name: "b c", port: 1, priority: 0, weight: 0 }] } }, SyntaxError, "b c"],
    [{ services: { a: [{ name: "b", port: 65_536, priority: 0, weight: 0 }] } }, RangeError, "65536"],
  ];
  for (const [options, type, part] of wrong) assertThrows(() => memoryNet(options), type, part);
});
