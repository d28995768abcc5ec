// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { servicePort } from "../../../net/provider/_service_ports.ts";
import { type AddrInfoOptions, formatAddress, tcp, udp } from "../../../mod.ts";
import { test } from "../../_test.ts";
import { fakeNet } from "../_fake_provider.ts";
import { assertNetError, called } from "../_helpers.ts";

/** Returns the addresses of a literal with a service. */
async function withService(service: string, type?: AddrInfoOptions["type"]): Promise<string[]> {
  const { net } = fakeNet();
  return (await net.getAddrInfo("10.0.0.1", { service, type })).map(formatAddress);
}

/** Returns the service name of an address that has no name. */
async function serviceOf(address: ReturnType<typeof tcp> | ReturnType<typeof udp>): Promise<string> {
  const { net, provider } = fakeNet();
  const asking = net.getNameInfo(address);
  await called(() => provider.nameLookups.length === 1);
  provider.nameLookups[0].succeed([]);
  return (await asking).service;
}

test("getAddrInfo() finds the port of a service by name, and by another of its names", async () => {
  for (
    const [service, port] of [["http", 80], ["www", 80], ["ftp", 21], ["postgresql", 5432], ["echo", 7], ["hkp", 11371]]
  ) {
    assertEquals(await withService(String(service), "stream"), [`tcp:10.0.0.1:${port}`]);
  }
});

test("getAddrInfo() returns only the kinds of socket over which a service runs", async () => {
  assertEquals(await withService("domain"), ["tcp:10.0.0.1:53", "udp:10.0.0.1:53"]);
  assertEquals(await withService("ssh"), ["tcp:10.0.0.1:22"]);
  assertEquals(await withService("ntp"), ["udp:10.0.0.1:123"]);
});

test("getAddrInfo() of a service that does not run over the kind that is wanted fails with SERVICE", async () => {
  const { lookupCode } = await assertNetError(() => withService("ssh", "datagram"), "address_lookup_failed");
  assertEquals(lookupCode, "SERVICE");
});

test("getAddrInfo() accepts any port number for both kinds", async () => {
  assertEquals(await withService("0"), ["tcp:10.0.0.1:0", "udp:10.0.0.1:0"]);
  assertEquals(await withService("65535"), ["tcp:10.0.0.1:65535", "udp:10.0.0.1:65535"]);
});

for (
  const service of ["80 ", " 80", "080", "+80", "8e1", "80\0", "http\0", "HTTP", "__proto__", "constructor", "８０"]
) {
  test(`getAddrInfo() of the service ${JSON.stringify(service)} fails with SERVICE`, async () => {
    const { lookupCode } = await assertNetError(() => withService(service), "address_lookup_failed");
    assertEquals(lookupCode, "SERVICE");
  });
}

test("getNameInfo() returns the name of a service over the transport of the address", async () => {
  assertEquals(await serviceOf(tcp("10.0.0.1", 514)), "shell");
  assertEquals(await serviceOf(udp("10.0.0.1", 514)), "syslog");
});

test("getNameInfo() returns the port as text if it has no service", async () => {
  assertEquals(await serviceOf(udp("10.0.0.1", 22)), "22");
  assertEquals(await serviceOf(tcp("10.0.0.1", 40_000)), "40000");
});

test("a service's name maps back to its port", async () => {
  for (const port of [1, 22, 53, 80, 443, 6379, 11371]) {
    const name = await serviceOf(tcp("10.0.0.1", port));
    assertEquals(servicePort(name, "tcp"), port);
  }
});
