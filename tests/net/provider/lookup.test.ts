// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Cancelled, first, formatAddress, IpAddress, Switch } from "../../../mod.ts";
import type { AddrInfoOptions } from "../../../mod.ts";
import { test } from "../../_test.ts";
import { fakeNet } from "../_fake_provider.ts";
import { assertNetError, called, microtasks, withNet } from "../_helpers.ts";

async function lookUp(name: string, answers: readonly string[], options?: AddrInfoOptions): Promise<string[]> {
  const { net, provider } = fakeNet();
  const looking = net.getAddrInfo(name, options);
  looking.catch(() => {});
  await called(() => provider.lookups.length === 1);
  provider.lookups[0].succeed(answers.map((answer) => IpAddress.parse(answer)));
  return (await looking).map(formatAddress);
}

/** Returns the result of a lookup that must not ask the resolver. */
async function literal(name: string, options?: AddrInfoOptions): Promise<string[]> {
  const { net, provider } = fakeNet();
  const answers = await net.getAddrInfo(name, options);
  assertEquals(provider.calls, []);
  return answers.map(formatAddress);
}

test("getAddrInfo() keeps the resolver's order, and returns both kinds for each answer", async () => {
  assertEquals(await lookUp("example.com", ["10.0.0.2", "::1"]), [
    "tcp:10.0.0.2:0",
    "udp:10.0.0.2:0",
    "tcp:[::1]:0",
    "udp:[::1]:0",
  ]);
});

test("getAddrInfo() returns only the kind that was asked for", async () => {
  assertEquals(await lookUp("example.com", ["10.0.0.2"], { type: "stream" }), ["tcp:10.0.0.2:0"]);
  assertEquals(await lookUp("example.com", ["10.0.0.2"], { type: "datagram" }), ["udp:10.0.0.2:0"]);
});

test("getAddrInfo() of a literal asks no resolver", async () => {
  assertEquals(await literal("127.0.0.1"), ["tcp:127.0.0.1:0", "udp:127.0.0.1:0"]);
  assertEquals(await literal("::1", { service: "80", type: "stream" }), ["tcp:[::1]:80"]);
});

test("getAddrInfo() accepts a service by number and by name", async () => {
  assertEquals(await literal("127.0.0.1", { service: "80", type: "stream" }), ["tcp:127.0.0.1:80"]);
  assertEquals(await literal("127.0.0.1", { service: "http", type: "stream" }), ["tcp:127.0.0.1:80"]);
  assertEquals(await literal("127.0.0.1", { service: "ftp", type: "stream" }), ["tcp:127.0.0.1:21"]);
});

for (const service of ["nonsense", "", "-1", "65536", "8 0", "toString", "0x50", "99999999"]) {
  test(`getAddrInfo() of the service ${JSON.stringify(service)} fails with SERVICE and asks no resolver`, async () => {
    const { net, provider } = fakeNet();
    const error = await assertNetError(() => net.getAddrInfo("example.com", { service }), "address_lookup_failed");
    assertEquals([error.lookupCode, provider.calls], ["SERVICE", []]);
  });
}

for (const name of ["", "a b", "127.1", "0x7f000001", "2130706433", "127.0.0.1\0.example.com", "a..b", "[::1]"]) {
  test(`getAddrInfo() of ${JSON.stringify(name)} is address_lookup_failed and asks no resolver`, async () => {
    const { net, provider } = fakeNet();
    const error = await assertNetError(() => net.getAddrInfo(name), "address_lookup_failed");
    assertEquals([error.lookupCode, provider.calls], ["NONAME", []]);
    assertInstanceOf(error.cause, SyntaxError);
  });
}

test("getAddrInfo() of anything but a string is a TypeError", async () => {
  const { net, provider } = fakeNet();
  await assertRejects(() => net.getAddrInfo(1 as unknown as string), TypeError);
  await assertRejects(() => net.getAddrInfo("a", { type: "raw" as "stream" }), TypeError, "type must be");
  await assertRejects(() => net.getAddrInfo("a", { service: 80 as unknown as string }), TypeError, "service");
  assertEquals(provider.calls, []);
});

test("getAddrInfo() without answers is address_lookup_failed and names the query", async () => {
  const { net, provider } = fakeNet();
  const looking = assertNetError(() => net.getAddrInfo("example.com", { service: "http" }), "address_lookup_failed");
  await called(() => provider.lookups.length === 1);
  provider.lookups[0].succeed([]);
  const error = await looking;
  assertEquals([error.lookupCode, error.context], ["NONAME", ['looking up "example.com" (service "http")']]);
});

const failures: [code: string, expected: string][] = [
  ["ENOTFOUND", "NONAME"],
  ["EAI_AGAIN", "AGAIN"],
  ["ESERVFAIL", "FAIL"],
  ["ENODATA", "NODATA"],
  ["ESOMETHING", "UNKNOWN"],
];

for (const [code, expected] of failures) {
  test(`getAddrInfo() turns ${code} of the resolver into ${expected}`, async () => {
    const { net, provider } = fakeNet();
    const looking = assertNetError(() => net.getAddrInfo("example.com"), "address_lookup_failed");
    await called(() => provider.lookups.length === 1);
    const cause = Object.assign(new Error("getaddrinfo failed"), { code });
    provider.lookups[0].fail(cause);
    const error = await looking;
    assertEquals([error.lookupCode, error.cause], [expected, cause]);
  });
}

for (const [code, expected] of [["EPERM", "permission_denied"], ["EMFILE", "too_many_open_files"]] as const) {
  test(`getAddrInfo() that the system refuses with ${code} is ${expected}`, async () => {
    const { net, provider } = fakeNet();
    const looking = assertNetError(() => net.getAddrInfo("example.com"), expected);
    await called(() => provider.lookups.length === 1);
    provider.lookups[0].fail(Object.assign(new Error("getaddrinfo failed"), { code }));
    assertEquals((await looking).context, ['looking up "example.com"']);
  });
}

test("getAddrInfo() is cancelled promptly, and ignores a late answer", async () => {
  const { net, provider } = fakeNet();
  await first(() => net.getAddrInfo("example.com"), () => called(() => provider.lookups.length === 1));
  assertEquals(provider.lookups[0].cancels, 1);
  provider.lookups[0].fail(new Error("Too late"));
  await microtasks();
});

test("getAddrInfo() asks no resolver in a cancelled scope", async () => {
  const { net, provider } = fakeNet();
  const failed = Switch.run(async (sw) => {
    sw.fail(new Error("Cannot go on"));
    await assertRejects(() => net.getAddrInfo("example.com"), Cancelled);
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(provider.calls, []);
});

test("getAddrInfo() of the system knows localhost", async () => {
  await withNet(async (_, net) => {
    const answers = (await net.getAddrInfo("localhost", { service: "80", type: "stream" })).map(formatAddress);
    assert(answers.includes("tcp:127.0.0.1:80") || answers.includes("tcp:[::1]:80"), String(answers));
  });
});

test("getAddrInfo() of the system fails for a name that does not exist", async () => {
  await withNet(async (_, net) => {
    await assertNetError(() => net.getAddrInfo("does-not-exist.invalid"), "address_lookup_failed");
  });
});
