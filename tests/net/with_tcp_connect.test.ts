// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { awaitCancel, Cancelled, first, type Net, tcp, udp, withTcpConnect } from "../../mod.ts";
import { getAddrInfoDatagram, getAddrInfoStream, IpAddress, NetError, type StreamSocket } from "../../mod.ts";
import { test } from "../_test.ts";
import { fakeNet, type FakeProvider, FakeStream } from "./_fake_provider.ts";
import { assertNetError, called, microtasks, refused, reset } from "./_helpers.ts";

const target = { host: "example.com", service: "http" };

/** Connects to a name with the addresses `ips`. */
function connecting<T>(
  ips: string[],
  fn: (flow: StreamSocket) => T | Promise<T>,
  timeout?: number,
): { result: Promise<T>; provider: FakeProvider; attempts(count: number): Promise<void> } {
  const { net, provider } = fakeNet();
  const result = withTcpConnect(net, { ...target, timeout }, fn);
  result.catch(() => {});
  const answered = called(() => provider.lookups.length === 1).then(() =>
    provider.lookups[0].succeed(ips.map((ip) => IpAddress.parse(ip)))
  );
  const attempts = async (count: number) => {
    await answered;
    await called(() => provider.connects.length === count);
    await microtasks(100);
    assertEquals(provider.connects.length, count);
  };
  return { result, provider, attempts };
}

test("withTcpConnect() tries strictly in the resolver's order, one at a time, however slow", async () => {
  const { result, provider, attempts } = connecting(["10.0.0.2", "10.0.0.1", "::1"], ({ peer }) => peer);
  await attempts(1);
  assert(!provider.clock.tryAdvance());
  provider.connects[0].fail(refused);
  await attempts(2);
  provider.connects[1].fail(refused);
  await attempts(3);
  provider.connects[2].succeed(new FakeStream());
  await result;
  assertEquals(provider.targets, ["tcp:10.0.0.2:80", "tcp:10.0.0.1:80", "tcp:[::1]:80"]);
  assertEquals(provider.lookups.length, 1);
});

test("withTcpConnect() closes the connection when fn ends, whether it succeeds or not", async () => {
  for (const fn of [() => "done", () => Promise.reject(new Error("Cannot go on"))]) {
    const { result, provider, attempts } = connecting(["10.0.0.1"], fn);
    await attempts(1);
    const stream = new FakeStream();
    provider.connects[0].succeed(stream);
    await result.catch(() => {});
    assert(stream.state !== "open");
  }
});

test("withTcpConnect() gives each attempt its own timeout, and abandons it at once", async () => {
  const { result, provider, attempts } = connecting(["10.0.0.1", "10.0.0.2"], () => "never", 100);
  await attempts(1);
  provider.clock.setTime(100);
  await attempts(2);
  assertEquals(provider.connects[0].cancels, 1);
  provider.clock.setTime(199);
  await microtasks(100);
  assertEquals(provider.connects[1].cancels, 0);
  provider.clock.setTime(200);
  const { context } = await assertNetError(() => result, "connection_timeout");
  assertEquals(context, ["connecting to tcp:10.0.0.2:80", "connecting to example.com:http"]);
});

test("withTcpConnect() throws the last error as it is, and says what it was connecting to", async () => {
  const { result, provider, attempts } = connecting(["10.0.0.1", "10.0.0.2"], () => "never");
  await attempts(1);
  provider.connects[0].fail(refused);
  await attempts(2);
  provider.connects[1].fail(reset);
  const { cause, context } = await assertNetError(() => result, "connection_reset");
  assertStrictEquals(cause, reset);
  assertEquals(context, ["connecting to tcp:10.0.0.2:80", "connecting to example.com:http"]);
});

test("withTcpConnect() of an unknown name or service says what it was connecting to", async () => {
  const { net, provider } = fakeNet();
  for (const wrong of [{ host: "a b", service: "http" }, { host: "example.com", service: "nonsense" }]) {
    const { context } = await assertNetError(() => withTcpConnect(net, wrong, () => {}), "address_lookup_failed");
    assertEquals(context.at(-1), `connecting to ${wrong.host}:${wrong.service}`);
  }
  assertEquals(provider.calls, []);
});

test("withTcpConnect() throws what fn throws as it is, and tries no further address", async () => {
  const failure = new NetError("connection_reset", { operation: "read" });
  const { result, provider, attempts } = connecting(["10.0.0.1", "10.0.0.2"], () => Promise.reject(failure));
  await attempts(1);
  provider.connects[0].succeed(new FakeStream());
  assertStrictEquals(await assertRejects(() => result), failure);
  assertEquals([failure.context, provider.connects.length], [[], 1]);
});

test("withTcpConnect() is cancelled while it looks up, connects, or runs fn", async () => {
  for (const steps of [0, 1, 2]) {
    const { net, provider } = fakeNet();
    const stream = new FakeStream();
    let error: unknown;
    const connect = () => withTcpConnect(net, target, awaitCancel).catch((caught) => Promise.reject(error = caught));
    await first(connect, async () => {
      await called(() => provider.lookups.length === 1);
      if (steps > 0) provider.lookups[0].succeed([IpAddress.parse("10.0.0.1"), IpAddress.parse("10.0.0.2")]);
      if (steps > 0) await called(() => provider.connects.length === 1);
      if (steps > 1) provider.connects[0].succeed(stream);
      if (steps > 1) await called(() => stream.attached === 1);
      await microtasks();
    });
    assert(error instanceof Cancelled, String(error));
    assertEquals(provider.connects.length, steps === 0 ? 0 : 1);
    assert(steps < 2 || stream.state === "aborted");
  }
});

const strange = { getAddrInfo: () => Promise.resolve([tcp("::1", 80), udp("::1", 80)]) } as unknown as Net;
const empty = { getAddrInfo: () => Promise.resolve([]) } as unknown as Net;

test("getAddrInfoStream() and getAddrInfoDatagram() return only their kind, whatever the network returns", async () => {
  assertEquals(await getAddrInfoStream(strange, "a"), [tcp("::1", 80)]);
  assertEquals(await getAddrInfoDatagram(strange, "a"), [udp("::1", 80)]);
});

test("getAddrInfoStream() and getAddrInfoDatagram() of nothing are NONAME, and name the query", async () => {
  for (const lookUp of [getAddrInfoStream, getAddrInfoDatagram]) {
    const error = await assertNetError(() => lookUp(empty, "a.example", { service: "http" }), "address_lookup_failed");
    assertEquals([error.lookupCode, error.context], ["NONAME", ['looking up "a.example" (service "http")']]);
  }
});
