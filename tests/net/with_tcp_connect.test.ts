// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { awaitCancel, Cancelled, first, tcp, udp, withTcpConnect, yieldNow } from "../../mod.ts";
import { getAddrInfoDatagram, getAddrInfoStream, NetError, type StreamSocket } from "../../mod.ts";
import {
  type Action,
  memoryNet,
  type MockClock,
  mockClock,
  mockFlow,
  type MockNet,
  mockNet,
} from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { assertNetError } from "./_helpers.ts";

const target = { host: "example.com", service: "http" };
const lookup = "net: getAddrInfo example.com, service http";
const addresses = [tcp("10.0.0.1", 80), tcp("10.0.0.2", 80)];
const refused = new NetError("connection_refused", { operation: "connect", address: addresses[0] });
const never: Action<StreamSocket> = { await: new Promise(() => {}) };

/** A network with the addresses of a name, and with what each attempt to connect does. */
function netWith(ips: string[], ...attempts: Action<StreamSocket>[]): MockNet & { readonly clock: MockClock } {
  const clock = mockClock();
  const net = mockNet({ clock });
  net.onGetAddrInfo({ return: ips.map((ip) => tcp(ip, 80)) });
  net.onConnect(...attempts);
  return { ...net, clock };
}

test("withTcpConnect() tries strictly in the resolver's order, one at a time, however slow", async () => {
  const slow = [1, 2, 3].map(() => Promise.withResolvers<StreamSocket>());
  const net = netWith(["10.0.0.2", "10.0.0.1", "::1"], ...slow.map(({ promise }) => ({ await: promise })));
  const result = withTcpConnect(net, target, ({ peer }) => peer);
  const all = [lookup, "tcp:10.0.0.2:80", "tcp:10.0.0.1:80", "tcp:[::1]:80"].map((line, i) =>
    i === 0 ? line : `net: connect to ${line}`
  );
  for (const [i, attempt] of slow.entries()) {
    for (let turn = 0; turn < 5; turn++) await yieldNow();
    assertEquals([net.log, net.clock.tryAdvance()], [all.slice(0, i + 2), false]);
    if (i < 2) attempt.reject(refused);
    else attempt.resolve(mockFlow("flow"));
  }
  await result;
});

test("withTcpConnect() closes the connection when fn ends, whether it succeeds or not", async () => {
  for (const fn of [() => "done", () => Promise.reject(new Error("Cannot go on"))]) {
    const flow = mockFlow("flow");
    await withTcpConnect(netWith(["10.0.0.1"], { return: flow }), target, fn).catch(() => {});
    assertEquals(flow.log, ["flow: closed"]);
  }
});

test("withTcpConnect() gives each attempt its own timeout, and abandons it at once", async () => {
  const clock = mockClock({ autoAdvance: true });
  const net = mockNet({ clock });
  const late = Promise.withResolvers<StreamSocket>();
  net.onGetAddrInfo({ return: addresses });
  net.onConnect({ await: late.promise }, never);
  const connect = () => withTcpConnect(net, { ...target, timeout: 100 }, () => "never");
  const { context } = await assertNetError(connect, "connection_timeout");
  assertEquals(context, ["connecting to tcp:10.0.0.2:80", "connecting to example.com:http"]);
  assertEquals([clock.now(), net.log.length], [200, 3]);
  const flow = mockFlow("flow");
  late.resolve(flow);
  await yieldNow();
  assertEquals(flow.log, ["flow: closed"]);
});

test("withTcpConnect() throws the last error as it is, and says what it was connecting to", async () => {
  const last = new NetError("connection_reset", { operation: "connect", address: addresses[1] });
  const net = netWith(["10.0.0.1", "10.0.0.2"], { throw: refused }, { throw: last });
  assertStrictEquals(await withTcpConnect(net, target, () => "never").catch((error) => error), last);
  assertEquals(last.context, ["connecting to tcp:10.0.0.2:80", "connecting to example.com:http"]);
});

test("withTcpConnect() of an unknown name or service says what it was connecting to", async () => {
  const net = memoryNet({ hosts: { "example.com": ["127.0.0.1"] } });
  for (const wrong of [{ host: "a b", service: "http" }, { host: "example.com", service: "nonsense" }]) {
    const { context } = await assertNetError(() => withTcpConnect(net, wrong, () => {}), "address_lookup_failed");
    assertEquals(context.at(-1), `connecting to ${wrong.host}:${wrong.service}`);
  }
});

test("withTcpConnect() throws what fn throws as it is, and tries no further address", async () => {
  const failure = new NetError("connection_reset", { operation: "read" });
  const net = netWith(["10.0.0.1", "10.0.0.2"], { return: mockFlow("flow") });
  const connect = () => withTcpConnect(net, target, () => Promise.reject(failure));
  assertStrictEquals(await assertRejects(connect), failure);
  assertEquals([failure.context, net.log.length], [[], 2]);
});

test("withTcpConnect() is cancelled while it looks up, connects, or runs fn", async () => {
  for (const steps of [0, 1, 2]) {
    const net = mockNet();
    const flow = mockFlow("flow");
    net.onGetAddrInfo(steps > 0 ? { return: addresses } : { await: new Promise(() => {}) });
    net.onConnect(steps > 1 ? { return: flow } : never);
    let error: unknown;
    const connect = () => withTcpConnect(net, target, awaitCancel).catch((caught) => Promise.reject(error = caught));
    await first(connect, async () => {
      for (let turn = 0; turn < 5; turn++) await yieldNow();
    });
    assert(error instanceof Cancelled, String(error));
    assertEquals(net.log.length, steps === 0 ? 1 : 2);
    assertEquals(flow.log, steps > 1 ? ["flow: closed"] : []);
  }
});

test("getAddrInfoStream() and getAddrInfoDatagram() return only their kind, whatever the network returns", async () => {
  const net = mockNet();
  const both = { return: [tcp("::1", 80), udp("::1", 80)] };
  net.onGetAddrInfo(both, both);
  assertEquals(await getAddrInfoStream(net, "a"), [tcp("::1", 80)]);
  assertEquals(await getAddrInfoDatagram(net, "a"), [udp("::1", 80)]);
});

test("getAddrInfoStream() and getAddrInfoDatagram() of nothing are NONAME, and name the query", async () => {
  const net = mockNet();
  for (const lookUp of [getAddrInfoStream, getAddrInfoDatagram]) {
    net.onGetAddrInfo({ return: [] });
    const error = await assertNetError(() => lookUp(net, "a.example", { service: "http" }), "address_lookup_failed");
    assertEquals([error.lookupCode, error.context], ["NONAME", ['looking up "a.example" (service "http")']]);
  }
});
