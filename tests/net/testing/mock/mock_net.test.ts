// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Cancelled,
  connectAny,
  first,
  getAddrInfoStream,
  hostAddress,
  IpAddress,
  type Net,
  NetError,
  retry,
  type StreamSocket,
  Switch,
  tcp,
  udp,
  withTcpConnect,
  yieldNow,
} from "../../../../mod.ts";
import { wrapNet } from "../../../../net/wrap/mod.ts";
import { mockClock, mockFlow, mockListener, mockNet, openCounts, socketPair } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";

const failure = new Error("Cannot go on");
const address = tcp("10.0.0.1", 80);
const refused = new NetError("connection_refused", { operation: "connect", address });

test("MockNet.connect() returns the scripted flow, with its options set in order, and the switch owns it", async () => {
  const net = mockNet();
  const { log } = net;
  const flow = mockFlow("flow", { log });
  net.onConnect({ return: flow });
  await Switch.run(async (sw) => {
    const options = {
      bindTo: tcp("10.0.0.9", 0),
      socketOptions: { SO_KEEPALIVE: true, TCP_KEEPIDLE: 9, TCP_NODELAY: undefined, IP_TOS: 1 },
    };
    assertStrictEquals<unknown>(await net.connect(sw, address, options), flow);
    assertEquals(openCounts().sockets, 1);
  });
  assertEquals(log, [
    "net: connect to tcp:10.0.0.1:80 from tcp:10.0.0.9:0",
    "flow: set SO_KEEPALIVE true",
    "flow: set TCP_KEEPIDLE 9",
    "flow: set IP_TOS 1",
    "flow: closed",
  ]);
  assertEquals(openCounts().sockets, 0);
});

test("MockNet calls without an action fail, each naming the method that is missing", async () => {
  const net = mockNet();
  const each = async (sw: Switch, calls: Record<string, (sw: Switch) => Promise<unknown>>) => {
    for (const [handler, call] of Object.entries(calls)) {
      const error = await assertRejects(() => call(sw), TypeError, `so script one with ${handler}`);
      assert(/^Cannot [a-z ]+: the mock "net" has no action left/.test(error.message), error.message);
    }
  };
  await Switch.run((sw) =>
    each(sw, {
      onConnect: (sw) => net.connect(sw, address),
      onListen: (sw) => net.listen(sw, address),
      onDatagramSocket: (sw) => net.datagramSocket(sw, "udp4"),
      onGetAddrInfo: () => net.getAddrInfo("example.com"),
      onGetNameInfo: () => net.getNameInfo(address),
      onGetServices: () => net.getServices("_http._tcp.example.com"),
    })
  );
  assertEquals(net.log, [
    "net: connect to tcp:10.0.0.1:80",
    "net: listen on tcp:10.0.0.1:80",
    "net: datagram socket on udp:0.0.0.0:0",
    "net: getAddrInfo example.com",
    "net: getNameInfo tcp:10.0.0.1:80",
    "net: getServices _http._tcp.example.com",
  ]);
});

test("MockNet lookups return what is scripted, and are logged with their arguments", async () => {
  const net = mockNet();
  net.onGetAddrInfo({ return: [tcp("10.0.0.1", 80), udp("10.0.0.1", 80), tcp("::1", 80)] });
  net.onGetNameInfo({ await: Promise.resolve({ hostname: "localhost", service: "http" }) });
  net.onGetServices({ run: () => [{ name: "a.example", port: 1, priority: 2, weight: 3 }] });
  assertEquals(await getAddrInfoStream(net, "example.com", { service: "http" }), [tcp("10.0.0.1", 80), tcp("::1", 80)]);
  assertEquals(await net.getNameInfo(udp("127.0.0.1", 53)), { hostname: "localhost", service: "http" });
  assertEquals((await net.getServices("_x._tcp.example"))[0].name, "a.example");
  assertEquals(net.log, [
    "net: getAddrInfo example.com, service http",
    "net: getNameInfo udp:127.0.0.1:53",
    "net: getServices _x._tcp.example",
  ]);
});

test("MockNet.addresses() uses the actions of getAddrInfo, but not for a literal", async () => {
  const net = mockNet();
  net.onGetAddrInfo({ return: [tcp("10.0.0.1", 80), udp("10.0.0.1", 80), tcp("::1", 80)] }, { throw: failure });
  const all = async (name: string) => {
    const lists = [];
    for await (const ips of net.addresses(name)) lists.push(ips.map(String));
    return lists;
  };
  assertEquals(await all("192.0.2.7"), [["192.0.2.7"]]);
  assertEquals(await all("example.com"), [["10.0.0.1", "::1"]]);
  assertStrictEquals(await all("example.com").catch((error) => error), failure);
  assertEquals(net.log, ["net: addresses example.com", "net: addresses example.com"]);
});

test("MockNet.connect() to a name is one connect", async () => {
  const net = mockNet();
  net.onConnect({ return: mockFlow("flow") });
  await Switch.run((sw) => net.connect(sw, hostAddress("example.com", 443)));
  assertEquals(net.log, ["net: connect to host:example.com:443"]);
});

test("MockNet.connect() throws the scripted error itself", async () => {
  const net = mockNet();
  net.onConnect({ throw: refused }, { await: Promise.reject(failure) });
  await Switch.run(async (sw) => {
    assertStrictEquals(await net.connect(sw, address).catch((error) => error), refused);
    assertStrictEquals(await net.connect(sw, address).catch((error) => error), failure);
  });
});

test("MockNet.connect() that is cancelled has used its action, and closes a late flow", async () => {
  const net = mockNet();
  const late = Promise.withResolvers<StreamSocket>();
  const [one, two] = [mockFlow("one"), mockFlow("two")];
  net.onConnect({ await: late.promise }, { return: two });
  await Switch.run(async (sw) => {
    await first(() => net.connect(sw, address), yieldNow);
    assertStrictEquals<unknown>(await net.connect(sw, address), two);
    late.resolve(one);
    await yieldNow();
    assertEquals([one.log, openCounts().sockets], [["one: closed"], 1]);
  });
});

test("MockNet.connect() closes the flow if its switch fails in the same turn", async () => {
  const net = mockNet();
  const flow = mockFlow("flow");
  net.onConnect({ return: flow });
  const ended = Switch.run((sw) => {
    const connecting = net.connect(sw, address);
    sw.fail(failure);
    return connecting;
  });
  await assertRejects(() => ended, Error, failure.message);
  await yieldNow();
  assertEquals([flow.log, openCounts().sockets], [["flow: closed"], 0]);
});

test("MockNet.connect() closes a flow that refuses an option", async () => {
  const net = mockNet();
  const [client, server] = socketPair();
  net.onConnect({ return: client });
  const options = { socketOptions: { TCP_NODELAY: true } };
  const error = await assertRejects(() => Switch.run((sw) => net.connect(sw, address, options)), NetError);
  assertEquals(error.code, "not_supported");
  assertEquals(await server.read(new Uint8Array(1)), null);
});

test("MockNet.connect() times out on the clock of the network", async () => {
  const clock = mockClock({ autoAdvance: true });
  const net = mockNet({ clock });
  net.onConnect({ await: new Promise(() => {}) });
  const error = await assertRejects(() => Switch.run((sw) => net.connect(sw, address, { timeout: 3000 })), NetError);
  assertEquals([error.code, clock.now()], ["connection_timeout", 3000]);
});

test("MockNet calls check their arguments like any network, and use no action", async () => {
  const net = mockNet();
  net.onConnect({ return: mockFlow("flow") });
  const finished = await Switch.run((sw) => sw);
  await Switch.run(async (sw) => {
    await assertRejects(() => net.connect({} as never, address), TypeError, "sw must be a Switch");
    await assertRejects(() => net.connect(finished, address), TypeError, "the switch is finished");
    await assertRejects(() => net.connect(sw, "x" as never), TypeError);
    await assertRejects(() => net.connect(sw, tcp("::1", 0)), RangeError);
    await assertRejects(() => net.connect(sw, address, { timeout: -1 }), RangeError);
    await assertRejects(() => net.connect(sw, address, { socketOptions: { SO_NONE: 1 } as never }), NetError);
    await assertRejects(() => net.listen(sw, address, { backlog: 0 }), RangeError);
    await assertRejects(() => net.datagramSocket(sw, "udp5" as never), TypeError);
    await assertRejects(() => net.getAddrInfo(1 as never), TypeError);
    await assertRejects(() => net.getNameInfo("x" as never), TypeError);
    await assertRejects(() => net.getServices(1 as never), TypeError);
    await assertRejects(() => net.addresses(1 as never)[Symbol.asyncIterator]().next(), TypeError);
    assertEquals(net.log, []);
    await net.connect(sw, address);
  });
});

test("MockNet calls in a cancelled scope are refused, and use no action", async () => {
  const net = mockNet();
  net.onConnect({ return: mockFlow("flow") });
  const seen: unknown[] = [];
  await Switch.run(async (sw) => {
    sw.fail(failure);
    for (const call of [() => net.connect(sw, address), () => net.getAddrInfo("x"), () => net.listen(sw, address)]) {
      seen.push(await call().catch((error) => error));
    }
  }).catch(() => {});
  for (const error of seen) assertInstanceOf(error, Cancelled);
  assertEquals([seen.length, net.log], [3, []]);
});

test("MockNet.onConnect() and its like refuse values of another kind when they are scripted", () => {
  const net = mockNet();
  assertThrows(() => net.onConnect({ return: {} as never }), TypeError, "must be a StreamSocket");
  assertThrows(() => net.onListen({ return: mockFlow("flow") as never }), TypeError, "must be a ListeningSocket");
  assertThrows(() => net.onDatagramSocket({ return: 1 as never }), TypeError, "must be a DatagramSocket");
  assertThrows(() => net.onGetAddrInfo({ return: "x" as never }), TypeError, "must be an array");
  assertThrows(() => net.onGetAddrInfo({ return: ["x"] as never }), TypeError);
  assertThrows(() => net.onGetNameInfo({ return: "x" as never }), TypeError);
  assertThrows(() => net.onGetServices({ return: 1 as never }), TypeError, "must be an array");
  assertThrows(() => net.onConnect({ return: mockListener("x") as never }), TypeError);
});

test("mockNet() refuses wrong options", () => {
  assertThrows(() => mockNet(1 as never), TypeError, "options must be an object");
  assertThrows(() => mockNet({ clock: 1 as never }), TypeError, "is not a Clock");
  assertThrows(() => mockNet({ log: 1 as never }), TypeError, "log must be an array that can grow");
  const net = mockNet();
  assert(Object.isFrozen(net));
  assert(net.features.has("unixDatagrams"));
});

test("mockNet() works with withTcpConnect(): the addresses are tried in order", async () => {
  const net = mockNet();
  const { log } = net;
  const flow = mockFlow("flow", { log });
  net.onGetAddrInfo({ return: [tcp("::1", 80), tcp("10.0.0.1", 80)] });
  net.onConnect({ throw: refused }, { return: flow });
  flow.onRead({ return: "hello" });
  const size = await withTcpConnect(
    net,
    { host: "example.com", service: "http" },
    (connection) => connection.read(new Uint8Array(9)),
  );
  assertEquals(size, 5);
  assertEquals(log, [
    "net: getAddrInfo example.com, service http",
    "net: connect to tcp:[::1]:80",
    "net: connect to tcp:10.0.0.1:80",
    'flow: read "hello"',
    "flow: closed",
  ]);
});

test("mockNet() works with connectAny(): the loser is cancelled or closed", async () => {
  const clock = mockClock({ autoAdvance: true });
  const net = mockNet({ clock });
  const { log } = net;
  const slow = Promise.withResolvers<StreamSocket>();
  net.onConnect({ await: slow.promise }, { return: mockFlow("fast", { log }) });
  await Switch.run(async (sw) => {
    await connectAny(net, sw, [tcp("::1", 80), tcp("10.0.0.1", 80)]);
    slow.resolve(mockFlow("slow", { log }));
    await yieldNow();
  });
  assertEquals(clock.now(), 250);
  assertEquals(log, [
    "net: connect to tcp:[::1]:80",
    "net: connect to tcp:10.0.0.1:80",
    "slow: closed",
    "fast: closed",
  ]);
});

test("mockNet() works with wrapNet() and retry()", async () => {
  const clock = mockClock({ autoAdvance: true });
  const inner = mockNet({ clock });
  const net: Net = wrapNet(inner, {});
  inner.onConnect({ throw: refused }, { throw: refused }, { return: mockFlow("flow", { log: inner.log }) });
  await Switch.run((sw) => retry(net.clock, { delay: 1000 }, () => net.connect(sw, address)));
  assertEquals(clock.now(), 3000);
  assertEquals(inner.log.slice(-1), ["flow: closed"]);
  assertEquals(IpAddress.isIpAddress(address.ip), true);
});

test("MockNet.connect() may return a flow twice: it counts once, and is closed by the first switch that ends", async () => {
  const net = mockNet();
  const flow = mockFlow("flow");
  net.onConnect({ return: flow }, { return: flow }, { return: flow });
  await Switch.run(async (outer) => {
    await net.connect(outer, address);
    await Switch.run(async (inner) => {
      await net.connect(inner, address);
      assertEquals(openCounts().sockets, 1);
    });
    assertEquals([flow.log, openCounts().sockets], [["flow: closed"], 0]);
    await net.connect(outer, address);
    assertEquals(openCounts().sockets, 0);
  });
  assertEquals(flow.log, ["flow: closed"]);
});
