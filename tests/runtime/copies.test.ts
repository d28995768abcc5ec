// Copyright 2026 the Sluice authors. MIT license.

/** Two copies of the library in one program: what is refused, what works, and that nothing hangs without a word. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { once } from "node:events";
import {
  acceptFork,
  awaitCancel,
  BufReader,
  cancellableSource,
  Cancelled,
  connectAny,
  copy,
  copyString,
  currentSignal,
  first,
  IpAddress,
  type ListeningSocket,
  type Net,
  nullFlow,
  pipe,
  proxy,
  readAll,
  retry,
  runServer,
  Switch,
  tcp,
  TimeoutError,
  toReadableStream,
  udp,
  withBufWriter,
  withTcpConnect,
  withTimeout,
} from "../../mod.ts";
import { toDuplex } from "../../flow/node/mod.ts";
import { memoryNet, mockClock, openCounts } from "../../net/testing/mod.ts";
import { tlsClient, TlsError, tlsServer } from "../../net/tls/mod.ts";
import { readText } from "../_helpers.ts";
import { loadSecondCopy } from "../_second_copy.ts";
import { test as checked } from "../_test.ts";

const keysBefore = Reflect.ownKeys(globalThis);
const other = await loadSecondCopy();
const keysAfter = Reflect.ownKeys(globalThis);

const address = tcp("127.0.0.1", 80);
const kind = Symbol.for("@sluice/io/kind");
const never = () => assert(false);

/** A test after which the second copy has nothing open either, and which a hang fails soon. */
function test(name: string, body: () => unknown): void {
  checked(name, async () => {
    await body();
    assertEquals(other.openCounts(), { fibers: 0, operations: 0, timers: 0, sockets: 0, listeners: 0 });
  }, { timeout: 20_000 });
}

/** Runs `fn` with a switch of this copy within one of the other copy. */
function withBoth(fn: (ours: Switch, theirs: Switch) => unknown): Promise<unknown> {
  return other.Switch.run((theirs) => Switch.run((ours) => fn(ours, theirs)));
}

test("a second copy leaves nothing on globalThis", () => {
  assert(other.Switch !== Switch);
  assertEquals(keysAfter.filter((key) => !keysBefore.includes(key)), []);
});

const certificate = { chain: "", key: "" };

const takingSwitch: [name: string, call: (sw: Switch, net: Net, listener: ListeningSocket) => unknown][] = [
  ["Net.connect()", (sw, net) => net.connect(sw, address)],
  ["Net.listen()", (sw, net) => net.listen(sw, address)],
  ["Net.datagramSocket()", (sw, net) => net.datagramSocket(sw, udp("127.0.0.1", 0))],
  ["ListeningSocket.accept()", (sw, _, listener) => listener.accept(sw)],
  ["acceptFork()", (sw, _, listener) => acceptFork(sw, listener, never, { onError: never })],
  ["connectAny()", (sw, net) => connectAny(net, sw, [address])],
  ["tlsClient()", (sw) => tlsClient(sw, pipe()[0], { serverName: "a.test" })],
  ["tlsServer()", (sw) => tlsServer(sw, pipe()[0], { certificate })],
  ["toDuplex()", (sw) => toDuplex(pipe()[0], { sw })],
];

for (const [name, call] of takingSwitch) {
  test(`${name} refuses the switch of another copy at once, and says so`, () =>
    withBoth(async (ours, theirs) => {
      const net = memoryNet();
      const listener = await net.listen(ours, tcp("127.0.0.1", 0));
      const refused = async () => await call(theirs, net, listener);
      await assertRejects(
        refused,
        TypeError,
        "sw must be a Switch: current value is one of another copy of @sluice/io",
      );
      await assertRejects(async () => await call({} as Switch, net, listener), TypeError, "current value is an object");
    }));
}

const givenNet: [name: string, call: (sw: Switch, net: Net, listener: ListeningSocket) => unknown][] = [
  ["connectAny()", (sw, net) => connectAny(net, sw, [address])],
  ["withTcpConnect()", (_, net) => withTcpConnect(net, { host: "127.0.0.1", service: "80" }, never)],
  ["acceptFork()", (sw, _, listener) => acceptFork(sw, listener, never, { onError: never })],
  ["runServer()", (_sw, _net, listener) => runServer(listener, never, { onError: never })],
];

for (const [name, call] of givenNet) {
  test(`${name} over the network of another copy fails at once`, () =>
    withBoth(async (ours, theirs) => {
      const net = other.memoryNet();
      const listener = await net.listen(theirs, other.tcp("127.0.0.1", 0));
      const failing = async () => await call(ours, net, listener);
      await assertRejects(failing, TypeError, "one of another copy of @sluice/io");
      await listener.close();
    }));
}

test("addresses of another copy are refused, and their text is taken", () => {
  assertThrows(() => tcp(other.IpAddress.any4, 80), TypeError, "one of another copy of @sluice/io, so use its text");
  assertEquals(tcp(String(other.IpAddress.loopback4), 80).ip.toString(), IpAddress.loopback4.toString());
});

test("runServer() serves connections of another copy from a listener that accepts for itself, until it is stopped", () =>
  withBoth(async (_, theirs) => {
    const net = other.memoryNet();
    const listener = await net.listen(theirs, other.tcp("127.0.0.1", 0));
    const { address } = listener;
    const wrapped = { address, accept: () => listener.accept(theirs), close: () => listener.close() };
    const stop = new AbortController();
    const serving = runServer(wrapped as unknown as ListeningSocket, (flow) => copy(flow, flow), {
      onError: never,
      stop: stop.signal,
    });
    const flow = await net.connect(theirs, address);
    await copyString("hello", flow);
    await flow.shutdown("send");
    assertEquals(await readText(flow), "hello");
    await flow.close();
    stop.abort(); // while it waits for the next one
    assertEquals(await serving, undefined);
  }));

test("runServer() aborts a connection that a foreign listener accepts after the stop", async () => {
  const accepting = Promise.withResolvers<{ abort(): void }>();
  const asked = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  const accept = () => {
    asked.resolve();
    return accepting.promise;
  };
  const serving = runServer({ address, accept } as unknown as ListeningSocket, never, {
    onError: never,
    stop: asked.promise,
  });
  await serving;
  accepting.resolve({ abort: () => aborted.resolve() });
  await aborted.promise;
});

test("runServer() ends when a foreign listener throws the ClosedError of another copy", async () => {
  const closed = new other.ClosedError("accept");
  const listener = { address, accept: () => Promise.reject(closed) };
  const serving = runServer(listener as unknown as ListeningSocket, never, { onError: never });
  assertStrictEquals(await assertRejects(() => serving), closed);
});

test("withTimeout() and retry() do not wait for the clock of another copy when they have ended", async () => {
  const clock = other.mockClock();
  assertEquals(await withTimeout(clock, 60_000, () => 1), 1);
  const failing = () => Promise.reject(new Error("Cannot try"));
  assertEquals(await first(() => retry(clock, { delay: 60_000 }, failing), () => Promise.resolve(2)), 2);
  await clock.advance();
});

test("withTimeout() is in time by the clock of another copy", async () => {
  const clock = other.mockClock();
  const late = assertRejects(() => withTimeout(clock, 50, awaitCancel), TimeoutError);
  await clock.advance();
  await late;
});

test("Switch.run() of another copy is cancelled by currentSignal() of this one, and that is not another failure", async () => {
  const clock = mockClock();
  const late = assertRejects(
    () => withTimeout(clock, 50, () => other.Switch.run(() => other.awaitCancel(), { signal: currentSignal() })),
    TimeoutError,
  );
  await clock.advance();
  await late;
});

test("a Cancelled of another copy in a scope that is not cancelled is a failure, forged or not", async () => {
  const forged = Object.assign(new Error("forged"), { [kind]: "Cancelled" });
  for (const theirs of [new other.Cancelled(), forged]) {
    const reported: unknown[] = [];
    await Switch.run(async (sw) => {
      const net = memoryNet();
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const accepting = acceptFork(sw, listener, () => Promise.reject(theirs), {
        onError: (error) => reported.push(error),
      });
      await readAll(await net.connect(sw, listener.address));
      await accepting;
    });
    assertEquals(reported, [theirs]);
    await assertRejects(() => Switch.run((sw) => sw.fork(() => Promise.reject(theirs))), Error, theirs.message);
  }
});

test("a forged kind of switch owns nothing", async () => {
  const forged = { [kind]: "Switch", check: () => {}, onRelease: () => ({ remove: () => true }) };
  await assertRejects(() => memoryNet().connect(forged as never, address), TypeError, "sw must be a Switch");
});

test("flows of another copy carry bytes through every function that takes a flow", async () => {
  const [a, b] = other.pipe();
  await withBufWriter(a, (writer) => writer.string("one\ntwo\nthree"));
  const reader = new BufReader(b, { maxSize: 100 });
  assertEquals([await reader.line(), await reader.line()], ["one", "two"]);
  await a.close();
  assertEquals(await readText(reader.asSource()), "three");
  await b.close();

  const [client, front] = other.pipe();
  const [back, server] = pipe();
  const proxying = proxy(front, back);
  await copyString("ping", client);
  await client.shutdown("send");
  assertEquals(await readText(server), "ping");
  await copyString("pong", server);
  await server.close();
  const text = await new Response(toReadableStream(client)).text();
  assertEquals(text, "pong");
  await proxying;
  await Promise.all([client, front, back].map((flow) => flow.close()));
});

test("toDuplex() over a flow of another copy is destroyed when its switch ends", async () => {
  const [a, b] = other.pipe();
  const duplex = await Switch.run(() => toDuplex(a));
  assert(duplex.destroyed);
  if (!duplex.closed) await once(duplex, "close");
  assertEquals(await b.read(new Uint8Array(1)), null);
  await b.close();
});

test("tlsClient() over a silent flow of another copy fails when its time is over", () =>
  Switch.run(async (sw) => {
    const clock = mockClock();
    const [a, b] = other.pipe();
    const handshake = tlsClient(sw, a, { serverName: "a.test", clock, handshakeTimeout: 50 });
    const late = assertRejects(() => handshake, TlsError);
    await b.read(new Uint8Array(1)); // the handshake has begun
    await clock.advance();
    assertEquals((await late).code, "handshake_timeout");
    await b.close();
  }));

test("cancellableSource() over a flow of another copy can be cancelled, and loses nothing", async () => {
  const clock = mockClock();
  const [a, b] = other.pipe();
  const source = cancellableSource(a);
  const late = assertRejects(() => withTimeout(clock, 50, () => source.read(new Uint8Array(9))), TimeoutError);
  await clock.advance();
  await late;
  await copyString("kept", b);
  await b.close();
  assertEquals(await readText(source), "kept");
  await a.close();
});

test("an operation on a flow of another copy is awaited when its scope is cancelled, and closing the flow ends it", async () => {
  const clock = mockClock();
  const [a, b] = other.pipe({ capacity: 1 });
  const ended: string[] = [];
  const working = withTimeout(clock, 50, async () => {
    currentSignal().addEventListener("abort", () => void a.close());
    const write = copyString("more than fits", a).finally(() => ended.push("write"));
    await Promise.allSettled([write, copy(a, nullFlow).finally(() => ended.push("read"))]);
  });
  await clock.advance();
  await working;
  assertEquals(ended.sort(), ["read", "write"]);
  await b.close();
});

test("a forgotten copy() from a flow of another copy that this side closes is not an unhandled rejection", async () => {
  const [a, b] = other.pipe();
  copy(a, nullFlow);
  await a.close();
  await b.close();
});

test("errors of another copy become those of Node in toDuplex()", async () => {
  const [a, b] = other.pipe();
  await b.close();
  const duplex = toDuplex(a);
  const failed = once(duplex, "error");
  duplex.write("x");
  const [error] = await failed;
  assertInstanceOf(error, Error);
  assertEquals((error as NodeJS.ErrnoException).code, "EPIPE");
  if (!duplex.closed) await once(duplex, "close");
});

test("what each copy has open is counted by itself", () =>
  Switch.run(async (sw) => {
    await memoryNet().listen(sw, tcp("127.0.0.1", 0));
    assertEquals([openCounts().listeners, other.openCounts().listeners], [1, 0]);
  }));

test("Cancelled of each copy is its own", () => {
  assertEquals(new other.Cancelled() instanceof Cancelled, false);
});
