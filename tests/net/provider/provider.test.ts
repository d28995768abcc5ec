// Copyright 2026 the Sluice authors. MIT license.

/**
 * The provider interface, with an in-memory network that accepts by pull and transfers a few bytes
 * at a time.
 */
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  acceptFork,
  copy,
  copyString,
  IpAddress,
  type Net,
  readAll,
  runServer,
  type StreamAddress,
  Switch,
} from "../../../mod.ts";
import {
  type Attempt,
  createNet,
  type NetProvider,
  type ProviderListener,
  type ProviderListenerEvents,
  type ProviderStream,
  type ProviderStreamEvents,
} from "../../../net/provider/mod.ts";
import { mockClock } from "../../../net/testing/mod.ts";
import { systemClock } from "../../../switch/clock.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { clientAddress, FakeProvider, serverAddress } from "../_fake_provider.ts";
import { assertNetError } from "../_helpers.ts";

const inFlight = 7;

/** One end of a connection that carries at most 7 bytes at a time, and signals by later events. */
class LoopStream implements ProviderStream {
  readonly local: StreamAddress;
  readonly peer: StreamAddress;
  other: LoopStream | undefined;
  #arrived: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #inputEnded = false;
  #broken = false;
  #ended = false;
  #dropping = false;
  #gone = false;
  #events: ProviderStreamEvents | undefined;

  constructor(local: StreamAddress, peer: StreamAddress) {
    this.local = local;
    this.peer = peer;
  }

  attach(events: ProviderStreamEvents): void {
    this.#events = events;
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    if (this.#arrived.length > 0) return this.#arrived;
    if (this.#inputEnded) return null;
    if (this.#broken) throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
    return undefined;
  }

  consume(size: number): void {
    this.#arrived = this.#arrived.slice(size);
    const { other } = this;
    if (other !== undefined) queueMicrotask(() => other.#events?.writable());
  }

  drop(): void {
    this.#dropping = true;
    this.consume(this.#arrived.length);
  }

  write(bytes: Uint8Array): number {
    const { other } = this;
    if (this.#broken || other === undefined) throw Object.assign(new Error("broken"), { code: "EPIPE" });
    if (other.#dropping) return bytes.length;
    const taken = bytes.slice(0, inFlight - other.#arrived.length);
    const joined = new Uint8Array(other.#arrived.length + taken.length);
    joined.set(other.#arrived);
    joined.set(taken, other.#arrived.length);
    other.#arrived = joined;
    queueMicrotask(() => other.#events?.readable());
    return taken.length;
  }

  give(buffers: readonly Uint8Array[]): number {
    return this.write(buffers[0]);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { other } = this;
    if (other === undefined) return;
    other.#inputEnded = true;
    queueMicrotask(() => other.#events?.readable());
  }

  readonly flushed = true;

  close(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.end();
    if (this.other !== undefined) this.other.other = undefined;
    queueMicrotask(() => this.#events?.closed());
  }

  abort(): void {
    if (this.#gone) return;
    this.#gone = true;
    const { other } = this;
    if (other !== undefined) {
      other.#broken = true;
      other.#arrived = new Uint8Array(0);
      queueMicrotask(() => {
        other.#events?.readable();
        other.#events?.writable();
      });
    }
    queueMicrotask(() => this.#events?.closed());
  }
}

/** A pull-based listener that holds at most one connection. */
class LoopListener implements ProviderListener {
  readonly address = serverAddress;
  readonly dropped = 0;
  readonly waiting: (() => LoopStream)[] = [];
  /** The number of connections taken from the system. */
  pulled = 0;
  #wanted = false;
  #held: LoopStream | undefined;
  #events: ProviderListenerEvents | undefined;

  attach(events: ProviderListenerEvents): void {
    this.#events = events;
  }

  accept(): ProviderStream | undefined {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) {
      this.#wanted = true;
      queueMicrotask(() => this.pull());
    }
    return held;
  }

  pull(): void {
    if (!this.#wanted || this.#held !== undefined || this.waiting.length === 0) return;
    this.#wanted = false;
    this.pulled++;
    this.#held = this.waiting.shift()!();
    this.#events?.acceptable();
  }

  close(): Promise<void> {
    this.#held?.abort();
    return Promise.resolve();
  }
}

function loopNet(): { net: Net; listener: LoopListener } {
  const listener = new LoopListener();
  const done = <T>(value: T): Attempt<T> => ({ result: Promise.resolve(value), cancel: () => {} });
  const provider: NetProvider = {
    features: new Set(["pullAccept"] as const),
    clock: mockClock(),
    connect: () => {
      const near = new LoopStream(clientAddress, serverAddress);
      const far = new LoopStream(serverAddress, clientAddress);
      near.other = far;
      far.other = near;
      listener.waiting.push(() => far);
      queueMicrotask(() => listener.pull());
      return done<ProviderStream>(near);
    },
    listen: () => done<ProviderListener>(listener),
    lookup: () => done([IpAddress.parse("10.0.0.2")]),
    lookupName: () => done(["server.example"]),
    lookupServices: () => done([{ name: "server.example", port: 80, priority: 0, weight: 0 }]),
  };
  return { net: createNet(provider), listener };
}

test("createNet() works with a pull-based provider that accepts few bytes at a time", async () => {
  const { net } = loopNet();
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, serverAddress);
    sw.fork(() => acceptFork(sw, listener, (flow) => copy(flow, flow), { onError: (error) => sw.fail(error) }));
    const flow = await net.connect(sw, serverAddress);
    const words = "much more than goes into one write of this network";
    sw.fork(async () => {
      await copyString(words, flow);
      await flow.shutdown("send");
    });
    assertEquals(textOf(await readAll(flow)), words);
  });
});

test("createNet() takes no connection from a pull-based provider before accept() is called", async () => {
  const { net, listener: system } = loopNet();
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, serverAddress);
    for (let i = 0; i < 3; i++) await net.connect(sw, serverAddress);
    assertEquals(system.pulled, 0);
    await listener.accept(sw);
    assertEquals(system.pulled, 1);
  });
});

test("runServer() accepts no connection beyond its limit from a pull-based provider", async () => {
  const { net, listener: system } = loopNet();
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, serverAddress);
    const stop = new AbortController();
    const options = { onError: (error: unknown) => sw.fail(error), maxConnections: 2, stop: stop.signal };
    const serving = sw.forkPromise(() => runServer(listener, (flow) => copy(flow, flow), options));
    const flows = [];
    for (let i = 0; i < 4; i++) flows.push(await net.connect(sw, serverAddress));
    for (const flow of flows.slice(0, 2)) {
      await copyString("x", flow);
      assertEquals(await flow.read(new Uint8Array(9)), 1);
    }
    assertEquals(system.pulled, 2);
    await Promise.all(flows.map((flow) => flow.close()));
    stop.abort();
    await serving;
  });
});

test("createNet() makes a reset of a provider's abort", async () => {
  const { net } = loopNet();
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, serverAddress);
    const flow = await net.connect(sw, serverAddress);
    const accepted = await listener.accept(sw);
    const reading = assertNetError(() => flow.read(new Uint8Array(9)), "connection_reset");
    accepted.abort();
    await reading;
    await assertNetError(() => flow.write(new Uint8Array(1)), "connection_reset");
  });
});

test("createNet() refuses what a provider throws at once, as a NetError", async () => {
  const denied = () => {
    throw Object.assign(new Error("Requires net access"), { name: "NotCapable" });
  };
  const names = { lookup: denied, lookupName: denied, lookupServices: denied };
  const net = createNet({ features: new Set(), clock: mockClock(), connect: denied, listen: denied, ...names });
  await Switch.run(async (sw) => {
    await assertNetError(() => net.connect(sw, serverAddress), "permission_denied");
    await assertNetError(() => net.listen(sw, serverAddress), "permission_denied");
    await assertNetError(() => net.getAddrInfo("example.com"), "permission_denied");
    await assertNetError(() => net.getNameInfo(serverAddress), "permission_denied");
    await assertNetError(() => net.getServices("_http._tcp.example.com"), "permission_denied");
  });
});

test("createNet() closes what a provider listens with when its switch fails", async () => {
  const { net, listener: system } = loopNet();
  let closed = 0;
  system.close = () => Promise.resolve(void closed++);
  const failed = Switch.run(async (sw) => {
    await net.listen(sw, serverAddress);
    throw new Error("Cannot go on");
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(closed, 1);
});

test("createNet() runs on the system's clock if the provider has none", () => {
  const provider = Object.create(new FakeProvider(), { clock: { value: undefined } });
  assertStrictEquals(createNet(provider).clock, systemClock);
});
