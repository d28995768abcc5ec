// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { inOrder } from "../../../net/provider/_service_records.ts";
import { Cancelled, first, type ServiceRecord, Switch } from "../../../mod.ts";
import { test } from "../../_test.ts";
import { fakeNet } from "../_fake_provider.ts";
import { assertNetError, called, microtasks } from "../_helpers.ts";

const service = "_http._tcp.example.com";
const record = (name: string, priority = 0, weight = 0): ServiceRecord => ({ name, port: 80, priority, weight });
const names = (records: readonly ServiceRecord[]) => records.map(({ name }) => name).join(" ");

async function servicesOf(...answers: ServiceRecord[]): Promise<ServiceRecord[]> {
  const { net, provider } = fakeNet();
  const asking = net.getServices(service);
  asking.catch(() => {});
  await called(() => provider.serviceLookups.length === 1);
  provider.serviceLookups[0].succeed(answers);
  return await asking;
}

test("getServices() puts records of a lower priority first", async () => {
  assertEquals(names(await servicesOf(record("c", 30), record("a", 1), record("b", 2))), "a b c");
});

test("getServices() returns frozen records of just four fields, without a dot at the end of the name", async () => {
  const [found] = await servicesOf({ ...record("a.example."), type: "SRV" } as ServiceRecord);
  assertEquals(found, record("a.example"));
  assert(Object.isFrozen(found));
});

test("getServices() drops a target that can be no host name", async () => {
  const bad = ["a b", "127.0.0.1", "::1", "127.1", "a\0b", "a..b", "a\\.b"].map((name) => record(name));
  assertEquals(names(await servicesOf(...bad, record("good_one.example"))), "good_one.example");
  const { lookupCode } = await assertNetError(() => servicesOf(...bad), "address_lookup_failed");
  assertEquals(lookupCode, "NODATA");
});

test("getServices() is SERVICE where the root is the only target", async () => {
  for (const root of ["", "."]) {
    const error = await assertNetError(() => servicesOf(record(root)), "address_lookup_failed");
    assertEquals([error.lookupCode, error.context], ["SERVICE", [`looking up "${service}"`]]);
  }
});

for (const name of ["", "127.0.0.1", "::1", "a b", "_http._tcp.exa\0mple.com", `${"a".repeat(64)}.com`]) {
  test(`getServices() of ${JSON.stringify(name)} is address_lookup_failed and asks no resolver`, async () => {
    const { net, provider } = fakeNet();
    const { lookupCode } = await assertNetError(() => net.getServices(name), "address_lookup_failed");
    assertEquals([lookupCode, provider.calls], ["NONAME", []]);
  });
}

test("getServices() of anything but a string is a TypeError", async () => {
  const { net, provider } = fakeNet();
  await assertRejects(() => net.getServices(1 as unknown as string), TypeError);
  assertEquals(provider.calls, []);
});

test("getServices() is cancelled promptly, and asks no resolver in a cancelled scope", async () => {
  const { net, provider } = fakeNet();
  await first(() => net.getServices(service), () => called(() => provider.serviceLookups.length === 1));
  assertEquals(provider.serviceLookups[0].cancels, 1);
  provider.serviceLookups[0].fail(new Error("Too late"));
  await microtasks();
  const failed = Switch.run(async (sw) => {
    sw.fail(new Error("Cannot go on"));
    await assertRejects(() => net.getServices(service), Cancelled);
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(provider.serviceLookups.length, 1);
});

test("inOrder() draws by weight", () => {
  const records = [record("a", 0, 1), record("b", 0, 3)];
  // The sum is 4, so draws are 0 to 4. By RFC 2782, 0 and 1 select the first, the others the
  // second.
  const drawn = [0, 0.2, 0.4, 0.6, 0.99].map((lot) => names(inOrder(records, () => lot)));
  assertEquals(drawn, ["a b", "a b", "b a", "b a", "b a"]);
});

test("inOrder() draws a weight of 0 only with the lowest lot, while others are left", () => {
  const records = [record("a", 0, 10), record("zero", 0, 0)];
  assertEquals(names(inOrder(records, () => 0)), "zero a");
  assertEquals(names(inOrder(records, () => 0.5)), "a zero");
});

test("inOrder() returns every record once, whatever the weights", () => {
  const records = Array.from({ length: 300 }, (_, i) => record(`host${i}`, i % 3, i % 7 === 0 ? 0 : 65535));
  for (const lot of [0, 0.5, 1 - Number.EPSILON]) {
    const drawn = inOrder(records, () => lot);
    assertEquals(new Set(drawn).size, 300);
    assertEquals(drawn.map(({ priority }) => priority), [0, 1, 2].flatMap((each) => Array(100).fill(each)));
  }
});
