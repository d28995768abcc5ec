// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import { Cancelled, first, Switch, tcp, type TcpAddress, udp, unix } from "../../../mod.ts";
import { test } from "../../_test.ts";
import { fakeNet, type FakeProvider } from "../_fake_provider.ts";
import { assertNetError, called, microtasks } from "../_helpers.ts";

async function nameOf(address: TcpAddress, answer: (provider: FakeProvider) => void): Promise<string> {
  const { net, provider } = fakeNet();
  const asking = net.getNameInfo(address);
  asking.catch(() => {});
  await called(() => provider.nameLookups.length === 1);
  answer(provider);
  return (await asking).hostname;
}

const address = tcp("10.0.0.1", 80);
const fail = (code: string) => ({ nameLookups: [lookup] }: FakeProvider) =>
  lookup.fail(Object.assign(new Error("getnameinfo failed"), { code }));

test("getNameInfo() returns the first name that the resolver has", async () => {
  assertEquals(
    await nameOf(address, (provider) => provider.nameLookups[0].succeed(["a.example", "b.example"])),
    "a.example",
  );
});

test("getNameInfo() returns the address as text if it has no name", async () => {
  for (const code of ["ENOTFOUND", "ENODATA"]) assertEquals(await nameOf(address, fail(code)), "10.0.0.1");
  assertEquals(await nameOf(tcp("fe80::1%eth0", 80), fail("ENOTFOUND")), "fe80::1%eth0");
});

for (const name of ["127.0.0.1", "::1", "", "a b", "<b>", "a\r\nb", "a..b", `${"a".repeat(64)}.b`, "0x7f.1"]) {
  test(`getNameInfo() returns the address as text if its name is ${JSON.stringify(name)}`, async () => {
    assertEquals(await nameOf(address, (provider) => provider.nameLookups[0].succeed([name])), "10.0.0.1");
  });
}

test("getNameInfo() fails when the resolver could not answer, and says what it was doing", async () => {
  const error = await assertNetError(() => nameOf(address, fail("EAI_AGAIN")), "address_lookup_failed");
  assertEquals([error.lookupCode, error.context], ["AGAIN", ['looking up "10.0.0.1"']]);
});

test("getNameInfo() refuses anything but an address of an IP socket, and asks no resolver", async () => {
  const { net, provider } = fakeNet();
  for (const wrong of [unix("/x"), undefined, {}, { transport: "tcp", ip: "10.0.0.1", port: 80 }]) {
    await assertRejects(() => net.getNameInfo(wrong as unknown as TcpAddress), TypeError);
  }
  await assertRejects(() => net.getNameInfo({ ...udp("::1", 1), port: 65536 }), RangeError);
  assertEquals(provider.calls, []);
});

test("getNameInfo() is cancelled promptly, and asks no resolver in a cancelled scope", async () => {
  const { net, provider } = fakeNet();
  await first(() => net.getNameInfo(address), () => called(() => provider.nameLookups.length === 1));
  assertEquals(provider.nameLookups[0].cancels, 1);
  provider.nameLookups[0].fail(new Error("Too late"));
  await microtasks();
  const failed = Switch.run(async (sw) => {
    sw.fail(new Error("Cannot go on"));
    await assertRejects(() => net.getNameInfo(address), Cancelled);
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(provider.nameLookups.length, 1);
});
