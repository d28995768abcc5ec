// Copyright 2026 the Sluice authors. MIT license.

/**
 * Code that holds one object must not reach what others depend on: internal objects, prototypes
 * that it could patch, constructors that users do not need.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import * as root from "../../mod.ts";
import * as nodeFlows from "../../flow/node/mod.ts";
import * as flowProvider from "../../flow/provider.ts";
import * as confine from "../../net/confine/mod.ts";
import * as endpoint from "../../net/endpoint/mod.ts";
import * as http from "../../net/http/mod.ts";
import * as managed from "../../net/managed/mod.ts";
import * as observing from "../../net/observe/mod.ts";
import * as pool from "../../net/pool/mod.ts";
import * as netProvider from "../../net/provider/mod.ts";
import * as server from "../../net/server/mod.ts";
import * as testing from "../../net/testing/mod.ts";
import * as tls from "../../net/tls/mod.ts";
import * as wintertc from "../../net/wintertc/mod.ts";
import * as workers from "../../net/workers/mod.ts";
import * as wrap from "../../net/wrap/mod.ts";
import { bytesOf, outcomeOf } from "../_helpers.ts";
import { test } from "../_test.ts";
import { FakeListener, FakeProvider, FakeStream } from "./_fake_provider.ts";
import { FakeDatagram } from "./_fake_datagram.ts";
import { anyPort, microtasks, withNet } from "./_helpers.ts";
import { securedPipe } from "./tls/_helpers.ts";
import { type Findings, walk } from "./_walk.ts";

/** All entry points but the fast paths of flows, which are symbols. */
const entryPoints = {
  root,
  confine,
  endpoint,
  nodeFlows,
  http,
  managed,
  netProvider,
  observing,
  pool,
  server,
  testing,
  tls,
  wintertc,
  workers,
  wrap,
};

/** The classes that users construct or test against. */
const publicClasses: ReadonlySet<unknown> = new Set(
  Object.values(entryPoints).flatMap((module) => Object.values(module)).filter((value) =>
    typeof value === "function" && /^class\b/.test(String(value))
  ),
);

function assertNothing({ mutable, constructors, visited }: Findings): void {
  assert(visited > 0);
  assertEquals({ mutable, constructors }, { mutable: [], constructors: [] });
}

function walkAll(roots: Record<string, unknown>): Findings {
  return walk(new Map(Object.entries(roots)), publicClasses);
}

/** Returns a callback that records its `this` and its arguments. */
function spy(into: Record<string, unknown>, name: string, result?: unknown): (...args: unknown[]) => unknown {
  return function (this: unknown, ...args: unknown[]) {
    into[`${name}.this`] = this;
    for (const [i, arg] of args.entries()) into[`${name}(${i})`] = arg;
    return typeof result === "function" ? result(...args) : result;
  };
}

for (const [name, module] of Object.entries(entryPoints)) {
  test(`what ${name} exports cannot be changed`, () => {
    assertNothing(walkAll({ [name]: { ...module } }));
  });
}

test("a switch, its parts and what its callbacks are called with cannot be changed", async () => {
  const found: Record<string, unknown> = {};
  await root.Switch.run(async (sw) => {
    const hook = sw.onRelease(spy(found, "onRelease"));
    Object.assign(found, { sw, hook });
    sw.fork(spy(found, "fork"));
    await sw.forkPromise(spy(found, "forkPromise"));
    sw.forkDaemon(spy(found, "forkDaemon"));
    await root.all([spy(found, "all")]);
    await root.first(spy(found, "first") as () => unknown, () => root.awaitCancel());
    await root.any([spy(found, "any"), spy(found, "any2")], { combine: spy(found, "combine") });
    await root.mapFibers([1], spy(found, "mapFibers"));
    await root.filterFibers([1], spy(found, "filterFibers", true) as () => boolean);
    await root.forEachFiber([1], spy(found, "forEachFiber"));
    await root.protect(spy(found, "protect"));
    const clock = testing.mockClock();
    await root.withTimeout(clock, 5, spy(found, "withTimeout"));
    const attempt = spy(found, "retry", () => Promise.reject(new Error("Cannot try")));
    const isRetryable = spy(found, "isRetryable", false) as () => boolean;
    await outcomeOf(() => root.retry(clock, { attempts: 2, delay: 0 }, attempt, { isRetryable }));
    const semaphore = new root.Semaphore(2);
    const queue = new root.Queue<number>(1);
    Object.assign(found, { clock, semaphore, queue, condition: new root.Condition() });
    Object.assign(found, { permit: await semaphore.acquire(), tried: semaphore.tryAcquire() });
    found.waited = root.Switch.run(async (inner) => {
      inner.fork(async () => (await semaphore.acquire()).release());
      await root.yieldNow();
      (found.permit as root.Permit).release();
    });
    await found.waited;
  });
  assertNothing(walkAll(found));
  for (const [key, value] of Object.entries(found)) {
    if (key.endsWith(".this")) assertEquals(value ?? undefined, undefined, key);
  }
});

test("errors thrown by a scope share nothing mutable", async () => {
  const thrown: unknown[] = [];
  const lose = () => root.awaitCancel().catch((error) => thrown.push(error));
  await root.first(lose, () => 1);
  await root.first(lose, () => 1);
  thrown.push(await outcomeOf(() => root.Switch.run((sw) => (sw.fail(new Error("Cannot work")), sw.check()))));
  thrown.push(await outcomeOf(() => root.all([() => Promise.reject(1), () => Promise.reject(2)])));
  assertNothing(walkAll({ ...thrown }));
  const [one, other] = thrown as Error[];
  assert(one !== other);
  one.message = "changed";
  assertEquals(other.message, "Operation was cancelled: Its result is no longer needed");
});

test("what limits and a monitor give to a handler and to its server cannot be changed", async () => {
  const found: Record<string, unknown> = {};
  await root.Switch.run(async (sw) => {
    const net = testing.memoryNet();
    const listener = await net.listen(sw, root.tcp("127.0.0.1", 80));
    const monitor = server.serverMonitor();
    const stop = new AbortController();
    const handler = spy(found, "handler", (_: unknown, __: unknown, scope: root.ConnectionScope) => {
      Object.assign(found, { handlerSwitch: scope.sw, stopping: scope.stopping, connections: monitor.connections() });
      return root.awaitCancel();
    });
    const limited = server.perPeer(1, server.timeLimits(net.clock, { lifetime: 1 }, handler));
    const onError = spy(found, "onError", () => stop.abort());
    const served = sw.forkPromise(() => root.runServer(listener, limited, { onError, stop: stop.signal, monitor }));
    await net.connect(sw, listener.address);
    await served;
    Object.assign(found, { monitor, report: monitor.report, limited });
  });
  assertNothing(walkAll(found));
});

test("what a pool hands to its callbacks cannot be changed, and leads to nothing inside", async () => {
  const found: Record<string, unknown> = {};
  await root.Switch.run(async (sw) => {
    const net = testing.memoryNet();
    const listener = await net.listen(sw, root.tcp("127.0.0.1", 80));
    const stop = new AbortController();
    const handler = {
      connected: spy(found, "connected", () => Promise.reject(new Error("Cannot serve"))),
      received: spy(found, "received"),
      failed: spy(found, "failed"),
      closed: spy(found, "closed", () => stop.abort()),
    } as unknown as pool.PoolHandler<undefined>;
    const onError = spy(found, "onError");
    const served = sw.forkPromise(() =>
      pool.runPool(listener, handler, { state: () => undefined, onError, stop: stop.signal })
    );
    await net.connect(sw, listener.address);
    await served;
    for (const name of ["connected", "failed", "closed"]) delete found[`${name}.this`]; // the user's own handler
    Object.assign(found, { proceed: pool.proceed(), finish: pool.finish() });
  });
  assertNothing(walkAll(found));
});

test("managed connections and their sets cannot be changed, and lead to nothing inside", async () => {
  const found: Record<string, unknown> = {};
  await root.Switch.run(async (sw) => {
    const net = testing.memoryNet();
    const listener = await net.listen(sw, root.tcp("127.0.0.1", 80));
    const set = managed.managedSet<string>(sw);
    const accept = spy(found, "accept", "data") as () => string;
    sw.forkDaemon(() => set.acceptFrom(listener, { clock: net.clock, accept }));
    const open = spy(found, "open", (own: root.Switch) => net.connect(own, listener.address));
    const options = { clock: net.clock, data: undefined };
    const connection = managed.managedConnection(sw, open as () => Promise<root.StreamSocket>, options);
    while (set.size === 0) await set.changed();
    const [member] = set;
    const failed = managed.managedConnection(sw, () => Promise.reject(new Error("Cannot open")), options);
    await failed.closed();
    Object.assign(found, { set, connection, member, state: member.state, failed: failed.state });
    connection.close();
  });
  assertNothing(walkAll(found));
  for (const name of ["accept", "open"]) assertEquals(found[`${name}.this`] ?? undefined, undefined, name);
});

test("sockets of the system, their listener and their addresses cannot be changed", async () => {
  const found: Record<string, unknown> = {};
  await withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const stop = new AbortController();
    const handler = spy(found, "handler", (_: unknown, __: unknown, scope: root.ConnectionScope) => {
      Object.assign(found, { handlerSwitch: scope.sw, stopping: scope.stopping });
      return Promise.reject(new Error("Cannot serve"));
    });
    const onError = spy(found, "onError", () => stop.abort());
    const served = sw.forkPromise(() => root.runServer(listener, handler, { onError, stop: stop.signal }));
    const client = await net.connect(sw, listener.address, { socketOptions: { TCP_NODELAY: true } });
    await served;
    const datagrams = await net.datagramSocket(sw, root.udp("127.0.0.1", 0));
    await datagrams.send(bytesOf("hello"), datagrams.local);
    const [received] = await datagrams.recvMany();
    Object.assign(found, { net, listener, client, datagrams, received });
    found.lookup = await net.getAddrInfo("127.0.0.1", { service: "80" });
    found.refused = await outcomeOf(() => net.connect(sw, listener.address));
    found.closed = await outcomeOf(async () => (await client.close(), await client.write(bytesOf("x"))));
    found.busy = await outcomeOf(() =>
      Promise.all([datagrams.recv(new Uint8Array(1)), datagrams.recv(new Uint8Array(1))])
    );
    found.option = await outcomeOf(() => datagrams.setOption("TCP_NODELAY" as never, true as never));
  });
  assertNothing(walkAll(found));
  for (const [key, value] of Object.entries(found)) {
    if (key.endsWith(".this")) assertEquals(value ?? undefined, undefined, key);
  }
});

test("what run hands to a program cannot be changed", async () => {
  const found: Record<string, unknown> = {};
  await root.run((env) => Object.assign(found, { env }));
  assertNothing(walkAll(found));
});

test("pipes, bridges, readers and writers cannot be changed", async () => {
  const found: Record<string, unknown> = {};
  const [a, b] = root.pipe();
  const reader = new root.BufReader(a, { maxSize: 100 });
  await b.write(bytesOf("hello"));
  await reader.takeWhile(spy(found, "takeWhile", (byte: number) => byte !== 111) as never);
  Object.assign(found, { a, b, reader, source: reader.asSource(), unread: reader.unread(a) });
  await root.withBufWriter(b, spy(found, "withBufWriter"));
  await root.parse("x", spy(found, "parse", (r: root.BufReader) => r.takeAll()) as never);
  const duplex = nodeFlows.toDuplex(root.pipe()[0]);
  const flow = nodeFlows.fromDuplex(nodeFlows.toDuplex(root.pipe()[0]) as never);
  Object.assign(found, { duplex, flow, readable: root.toReadableStream(b), lent: root.stringSource("x") });
  Object.assign(found, { memory: root.bytesSource(bytesOf("x")), sink: root.bufferSink(), nothing: root.nullFlow });
  Object.assign(found, {
    iterable: root.fromIterable([bytesOf("x")]),
    cancellable: root.cancellableSource(root.nullFlow),
  });
  Object.assign(found, { web: root.fromReadableStream(new Blob(["x"]).stream()) });
  Object.assign(found, { chunks: root.chunks(root.nullFlow), lines: root.BufReader.of("x").lines() });
  found.sequence = root.sequence(root.BufReader.of("x"), (r) => r.line());
  found.busy = await outcomeOf(() => Promise.all([b.read(new Uint8Array(1)), b.read(new Uint8Array(1))]));
  await (root.stringSource("x") as flowProvider.LendingSource)[flowProvider.lend](
    spy(found, "borrower", Promise.resolve(1)) as never,
  );
  await a.close();
  found.closed = await outcomeOf(() => a.write(bytesOf("x")));
  assertNothing(walkAll(found));
  for (const [key, value] of Object.entries(found)) {
    if (key.endsWith(".this")) assertEquals(value ?? undefined, undefined, key);
  }
  for (const open of [a, b, flow]) await open.close();
  duplex.destroy();
});

test("connections in memory cannot be changed", async () => {
  const found: Record<string, unknown> = {};
  await root.Switch.run(async (sw) => {
    const net = testing.memoryNet();
    const listener = await net.listen(sw, root.tcp("127.0.0.1", 80));
    const [client, server] = await root.both(() => net.connect(sw, listener.address), () => listener.accept(sw));
    Object.assign(found, { net, listener, client, server, pair: testing.socketPair() });
    found.counts = testing.openCounts();
  });
  assertNothing(walkAll(found));
});

test("wrappers cannot be changed, and lead to nothing inside", async () => {
  const found: Record<string, unknown> = {};
  const inside: Record<string, unknown> = {};
  await root.Switch.run(async (sw) => {
    const inner = { ...testing.memoryNet(), inside: Object.freeze({ secret: true }) };
    const hooks = { check: spy(found, "check"), received: spy(found, "received"), sent: spy(found, "sent") };
    const closed = spy(found, "closed");
    const net = wrap.wrapNet(inner, {
      connect: async (next, ...args) => {
        Object.assign(found, { connectArguments: args });
        return found.client = await next({ ...hooks, closed });
      },
      listen: (next) => next({ closed, accept: (next) => next({ ...hooks, closed }) }),
      datagramSocket: (next) => next({ ...hooks, closed }),
    });
    const listener = await net.listen(sw, root.tcp("127.0.0.1", 80));
    const [, server] = await root.both(() => net.connect(sw, listener.address), () => listener.accept(sw));
    const datagrams = await net.datagramSocket(sw, root.udp("127.0.0.1", 0));
    await datagrams.send(bytesOf("hello"), datagrams.local);
    await datagrams.recvMany();
    Object.assign(found, { net, listener, server, datagrams });
    found.refused = await outcomeOf(() => net.connect(sw, root.tcp("127.0.0.1", 81)));
    Object.assign(inside, { inner, secret: inner.inside });
  });
  const { mutable, constructors, reached } = walkAll(found);
  assertEquals({ mutable, constructors }, { mutable: [], constructors: [] });
  for (const [name, object] of Object.entries(inside)) assert(!reached.has(object as object), name);
  for (const [key, value] of Object.entries(found)) {
    if (key.endsWith(".this")) assertEquals(value ?? undefined, undefined, key);
  }
});

test("a confined network cannot be changed, and leads to nothing inside", async () => {
  const found: Record<string, unknown> = {};
  const inside: Record<string, unknown> = {};
  await root.Switch.run(async (sw) => {
    const inner = { ...testing.memoryNet(), inside: Object.freeze({ secret: true }) };
    const policy = {
      connect: ["127.0.0.1:80", "localhost:80"],
      listen: ["127.0.0.1:80"],
      bind: ["127.0.0.1:*"],
      send: ["127.0.0.1:*"],
      onDenied: spy(found, "onDenied"),
    };
    const net = confine.restrict(inner, policy as confine.NetPolicy);
    const listener = await net.listen(sw, root.tcp("127.0.0.1", 80));
    const [client, server] = await root.both(() => net.connect(sw, listener.address), () => listener.accept(sw));
    const datagrams = await net.datagramSocket(sw, root.udp("127.0.0.1", 0));
    const answers = net.addresses("localhost");
    for await (const ips of answers) found.ips = ips;
    Object.assign(found, { net, listener, client, server, datagrams, answers, publicNet: confine.publicOnly(inner) });
    found.named = await net.connect(sw, root.hostAddress("localhost", 80));
    found.refused = await outcomeOf(() => net.connect(sw, root.tcp("127.0.0.1", 81)));
    found.unsent = await outcomeOf(() => datagrams.send(bytesOf("x"), root.udp("10.0.0.1", 1)));
    Object.assign(inside, { inner, secret: inner.inside, policy });
  });
  const { mutable, constructors, reached } = walkAll(found);
  assertEquals({ mutable, constructors }, { mutable: [], constructors: [] });
  for (const [name, object] of Object.entries(inside)) assert(!reached.has(object as object), name);
  assertEquals(found["onDenied.this"], undefined);
});

test("a TLS connection exposes nothing mutable, nor does its peer's certificate", async () => {
  const found: Record<string, unknown> = {};
  await root.Switch.run(async (sw) => {
    const [client, server] = await securedPipe(sw);
    Object.assign(found, { client, server });
    assert(client.peerCertificate !== undefined);
    found.untrusted = await outcomeOf(() => securedPipe(sw, { authorities: [] }));
  });
  assertNothing(walkAll(found));
});

/** Records the arguments of the methods of `target`. */
function record(into: Record<string, unknown>, name: string, target: object): void {
  for (const method of Object.getOwnPropertyNames(Object.getPrototypeOf(target))) {
    const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(target), method)?.value;
    if (method === "constructor" || typeof own !== "function") continue;
    const kept = function (this: unknown, ...args: unknown[]) {
      assert(this === target, `${name}.${method}() is a method of what the user wrote`);
      for (const [i, arg] of args.entries()) into[`${name}.${method}(${i})`] = arg;
      return own.apply(target, args);
    };
    Object.defineProperty(target, method, { value: kept });
  }
}

test("a WinterTC socket and its connect() lead to nothing inside", () =>
  withNet(async (sw, net) => {
    const listener = await net.listen(sw, anyPort);
    const connect = wintertc.toConnect(net, sw);
    const socket = connect({ hostname: "127.0.0.1", port: listener.address.port });
    const info = await socket.opened;
    const { readable: _, writable: __, opened: ___, closed: ____, ...rest } = socket; // the platform's own
    assertNothing(walkAll({ connect, socket: Object.getPrototypeOf(socket), rest, info }));
    assert(Object.isFrozen(socket));
    assertEquals(Reflect.ownKeys(socket), []);
    await socket.close();
  }));

test("what a provider is handed leads to nothing else", async () => {
  const found: Record<string, unknown> = {};
  const provider = new FakeProvider();
  const stream = new FakeStream();
  const system = new FakeListener(root.tcp("10.0.0.2", 80));
  const datagram = new FakeDatagram();
  for (const [name, target] of Object.entries({ provider, stream, system, datagram })) record(found, name, target);
  const net = netProvider.createNet(provider);
  await root.Switch.run(async (sw) => {
    const connecting = net.connect(sw, root.tcp("10.0.0.2", 80), { socketOptions: { TCP_NODELAY: false } });
    const listening = net.listen(sw, root.tcp("10.0.0.2", 80));
    const opening = net.datagramSocket(sw, "udp4");
    const asking = net.getNameInfo(root.tcp("10.0.0.2", 80));
    const searching = net.getServices("a.example");
    const finding = net.getAddrInfo("a.example");
    await microtasks();
    provider.connects[0].succeed(stream);
    provider.listens[0].succeed(system);
    provider.datagrams[0].succeed(datagram);
    provider.nameLookups[0].succeed(["a.example"]);
    provider.serviceLookups[0].succeed([{ name: "b.example", port: 80, priority: 0, weight: 0 }]);
    provider.lookups[0].succeed([root.IpAddress.loopback4]);
    const socket = await connecting;
    await socket.write(bytesOf("hello"));
    await (socket as root.StreamSocket & flowProvider.GivingSink)[flowProvider.give]([bytesOf("hello")]);
    const socketOfDatagrams = await opening;
    const sending = socketOfDatagrams.send(bytesOf("hello"), root.udp("10.0.0.2", 80));
    datagram.given[0].done();
    await sending;
    await Promise.allSettled([listening, asking, searching, finding]);
  });
  assertNothing(walkAll(found));
  for (const kind of ["stream", "system", "datagram"]) {
    const events = found[`${kind}.attach(0)`] as object;
    assert(
      Object.isFrozen(events) && Reflect.ownKeys(events).every((key) => typeof events[key as never] === "function"),
    );
  }
  const events = found["stream.attach(0)"] as netProvider.ProviderStreamEvents & { readonly write?: unknown };
  assertEquals([typeof events.readable, typeof events.writable, typeof events.closed], Array(3).fill("function"));
  assertEquals(events.write, undefined);
  assertThrows(() => Object.defineProperty(Object.getPrototypeOf(events), "readable", { value: () => {} }), TypeError);
});

test("permits, hooks and the objects that fibers share are frozen", async () => {
  await root.Switch.run((sw) => {
    const semaphore = new root.Semaphore(1);
    const shared = [semaphore, new root.Queue(1), new root.Condition(), new root.BufWriter(), sw];
    for (const each of [...shared, semaphore.tryAcquire(), sw.onRelease(() => {})]) assert(Object.isFrozen(each));
  });
});
