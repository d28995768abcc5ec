// Copyright 2026 the Sluice authors. MIT license.

/**
 * A provider that reads into memory that it reuses (`keeps: false`): the library must keep none of
 * it.
 */
import { assert, assertEquals } from "@std/assert";
import { lend, type LendingSource } from "../../flow/provider.ts";
import { toDuplex } from "../../flow/node/mod.ts";
import {
  both,
  BufReader,
  copy,
  pipe,
  readAll,
  type SocketOptionName,
  type SocketOptionValue,
  type StreamAddress,
  type StreamSocket,
  Switch,
  tcp,
  writeAll,
  yieldNow,
} from "../../mod.ts";
import { memoryNet } from "../../net/testing/mod.ts";
import { systemProvider } from "../../net/backends/auto.ts";
import {
  type Attempt,
  createNet,
  type NetProvider,
  type ProviderListener,
  type ProviderStream,
  type ProviderStreamEvents,
} from "../../net/provider/mod.ts";
import { test } from "../_test.ts";
import { data, receivers, senders, size } from "./_transfers.ts";
import { secured } from "./tls/_helpers.ts";
import { counting } from "./wrap/_counting.ts";

/** The filler of consumed memory. */
const stale = 0xee;

/** A stream of the system, read into memory that is overwritten as soon as it is consumed. */
class ReusingStream implements ProviderStream {
  readonly keeps = false;
  readonly #inner: ProviderStream;
  readonly #memory = new Uint8Array(5000);
  #start = 0;
  #end = 0;

  constructor(inner: ProviderStream) {
    this.#inner = inner;
  }

  get local(): StreamAddress {
    return this.#inner.local;
  }

  get peer(): StreamAddress {
    return this.#inner.peer;
  }

  get flushed(): boolean {
    return this.#inner.flushed;
  }

  get lost(): { readonly error: unknown } | undefined {
    return this.#inner.lost;
  }

  attach(events: ProviderStreamEvents): void {
    this.#inner.attach(events);
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    if (this.#start === this.#end) {
      const bytes = this.#inner.peek();
      if (bytes === undefined || bytes === null) return bytes;
      this.#start = 0;
      this.#end = Math.min(bytes.length, this.#memory.length);
      this.#memory.set(bytes.subarray(0, this.#end));
      this.#inner.consume(this.#end);
    }
    return this.#memory.subarray(this.#start, this.#end);
  }

  consume(size: number): void {
    this.#memory.fill(stale, this.#start, this.#start += size);
  }

  drop(): void {
    this.#start = this.#end; // unconsumed bytes stay as they are
    this.#inner.drop();
  }

  write(bytes: Uint8Array): number {
    return this.#inner.write(bytes);
  }

  give(buffers: readonly Uint8Array[], owned?: boolean): number {
    return this.#inner.give(buffers, owned);
  }

  end(): void {
    this.#inner.end();
  }

  close(): void {
    this.#inner.close();
  }

  abort(): void {
    this.#inner.abort();
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    this.#inner.setOption?.(name, value);
  }

  getOption(name: SocketOptionName): SocketOptionValue | undefined {
    return this.#inner.getOption?.(name);
  }
}

function mapped<T, R>({ result, cancel }: Attempt<T>, map: (value: T) => R): Attempt<R> {
  return { result: result.then(map), cancel };
}

/** Wraps a listener, so that its connections reuse their memory. */
function reusing(listener: ProviderListener): ProviderListener {
  return {
    get address() {
      return listener.address;
    },
    get dropped() {
      return listener.dropped;
    },
    attach: (events) => listener.attach(events),
    accept() {
      const stream = listener.accept();
      return stream && new ReusingStream(stream);
    },
    close: () => listener.close(),
  };
}

function reusingProvider(): NetProvider {
  const system = systemProvider();
  return {
    features: system.features,
    connect: (...args) => mapped(system.connect(...args), (stream) => new ReusingStream(stream)),
    listen: (...args) => mapped(system.listen(...args), reusing),
    lookup: (...args) => system.lookup(...args),
    lookupName: (...args) => system.lookupName(...args),
    lookupServices: (...args) => system.lookupServices(...args),
  };
}

function withPair(fn: (client: StreamSocket, server: StreamSocket, sw: Switch) => Promise<void>): Promise<void> {
  return Switch.run(async (sw) => {
    const { net } = counting(createNet(reusingProvider()));
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    const [client, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
    await fn(client, server, sw);
    await both(() => client.close(), () => server.close());
  });
}

function assertData(got: Uint8Array): void {
  assertEquals(got.length, size);
  const wrong = got.findIndex((byte, i) => byte !== data[i]);
  assert(wrong < 0, `byte ${wrong} is ${got[wrong]}`);
}

async function sendAll(to: StreamSocket): Promise<void> {
  await writeAll(to, data);
  await to.shutdown("send");
}

for (const [name, receive] of Object.entries(receivers)) {
  for (const wrapped of [false, true]) {
    test(`${name} ${wrapped ? "through a wrapper " : ""}is right where the backend reuses its memory`, () =>
      Switch.run(async (sw) => {
        const own = createNet(reusingProvider());
        const net = wrapped ? counting(own).net : own;
        const listener = await net.listen(sw, tcp("127.0.0.1", 0));
        const [client, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
        await both(() => sendAll(client), async () => assertData(await receive(server)));
        await both(() => client.close(), () => server.close());
      }));
  }
}

test("[lend]() tells its borrower whether the memory may be kept", async () => {
  for (const [net, kept] of [[memoryNet(), true], [createNet(reusingProvider()), false]] as const) {
    await Switch.run(async (sw) => {
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const [client, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
      await client.write(data.subarray(0, 9));
      const told: boolean[] = [];
      await (server as StreamSocket & LendingSource)[lend]((bytes, keep) => {
        told.push(keep);
        return Promise.resolve(bytes.length);
      });
      assertEquals(told, [kept]);
      await both(() => client.close(), () => server.close());
    });
  }
});

test("copy() to a sink that waits with the memory is right where the backend reuses it", () =>
  withPair(async (client, server) => {
    const parts: Uint8Array[] = [];
    const slow = {
      async write(bytes: Uint8Array) {
        await yieldNow();
        const part = bytes.slice(0, Math.ceil(bytes.length / 2));
        parts.push(part);
        return part.length;
      },
    };
    await both(() => sendAll(client), () => copy(server, slow));
    const all = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    assertData(all);
  }));

test("copy() into a pipe that nothing reads for a while is right where the backend reuses its memory", () =>
  withPair(async (client, server) => {
    const [near, far] = pipe({ capacity: size });
    await both(() => sendAll(client), async () => {
      await copy(server, near);
      await near.shutdown("send");
    });
    assertData(await readAll(far));
  }));

test("copy() from one socket to another is right where both backends reuse their memory", () =>
  withPair((client, server) =>
    withPair(async (other, end) => {
      await both(() =>
        both(() => sendAll(client), async () => {
          await copy(server, other);
          await other.shutdown("send");
        }), async () => assertData(await readAll(end)));
    })
  ));

test("BufReader keeps what it has looked at, where the backend reuses its memory", () =>
  withPair(async (client, server) => {
    await both(() => sendAll(client), async () => {
      const reader = new BufReader(server, { maxSize: 2 * size });
      for (let at = 0; at < size; at += 1000) {
        await reader.ensure(1000);
        const seen = reader.peek().slice(0, 1000);
        await yieldNow();
        assertEquals(reader.peek().subarray(0, 1000), seen);
        assertEquals(await reader.take(1000), data.slice(at, at + 1000));
      }
      assertEquals(await reader.atEnd(), true);
    });
  }));

test("toDuplex() passes on the right bytes where the backend reuses its memory", () =>
  withPair(async (client, server) => {
    await both(() => sendAll(client), async () => {
      const chunks: Uint8Array[] = [];
      const duplex = toDuplex(server);
      for await (const chunk of duplex) chunks.push(chunk);
      duplex.end();
      const all = new Uint8Array(size);
      let at = 0;
      for (const chunk of chunks) {
        all.set(chunk, at);
        at += chunk.length;
      }
      assertData(all);
    });
  }));

for (const [name, send] of Object.entries(senders)) {
  test(`TLS is right over a backend that reuses its memory: ${name}`, () =>
    withPair(async (client, server, sw) => {
      const [secureClient, secureServer] = await secured(sw, [client, server]);
      await both(async () => {
        await send(secureClient as never);
        await secureClient.shutdown("send");
      }, async () => {
        assertData(await readAll(secureServer));
        await secureServer.shutdown("send");
      });
      await both(() => secureClient.close(), () => secureServer.close());
    }));
}
