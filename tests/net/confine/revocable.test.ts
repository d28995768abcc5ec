// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { openCounts } from "../../../base/_counter.ts";
import { give, type GivingSink, lend, type LendingSource } from "../../../flow/provider.ts";
import {
  both,
  Cancelled,
  copy,
  copyString,
  first,
  hostAddress,
  type ListeningSocket,
  type Net,
  NetError,
  nullFlow,
  proxy,
  readAll,
  runServer,
  type StreamSocket,
  Switch,
  tcp,
  udp,
  yieldNow,
} from "../../../mod.ts";
import { limit, meter, revocable } from "../../../net/confine/mod.ts";
import { memoryNet } from "../../../net/testing/mod.ts";
import { wrapNet } from "../../../net/wrap/mod.ts";
import { bytesOf } from "../../_helpers.ts";
import { assertCutOff } from "../_helpers.ts";
import { test } from "../../_test.ts";
import { checkWrapper, networks } from "../wrap/_checked.ts";

type Fast = StreamSocket & LendingSource & GivingSink;

const reason = new Error("The plug-in was removed");

checkWrapper("revocable()", (net) => revocable(net).net);

/** Asserts that an operation is refused because of the revocation. */
async function assertRevoked(outcome: Promise<unknown>, operation?: string): Promise<void> {
  const error = await assertRejects(() => outcome, NetError);
  assertEquals(error.code, "permission_denied");
  assertStrictEquals(error.cause, reason);
  if (operation !== undefined) assertEquals(error.operation, operation);
}

/** Waits some turns of the event loop, so that what can happen has happened. */
async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await yieldNow();
}

interface Pair {
  readonly inner: Net;
  readonly net: Net;
  revoke(reason?: unknown): void;
  readonly listener: ListeningSocket;
  readonly client: Fast;
  readonly server: StreamSocket;
}

/** Calls `fn` with a connection of a revocable network to a peer that is not. */
async function withPair(inner: Net, fn: (pair: Pair, sw: Switch) => Promise<void>): Promise<void> {
  await Switch.run(async (sw) => {
    const { net, revoke } = revocable(inner);
    const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
    const [client, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
    await fn({ inner, net, revoke, listener, client: client as Fast, server }, sw);
  });
}

const large = new Uint8Array(4_000_000);

/** Every operation of a connection that waits. */
const pending: Record<string, readonly [operation: string, run: (flow: Fast) => Promise<unknown>]> = {
  "read()": ["read", (flow) => flow.read(new Uint8Array(9))],
  "[lend]()": ["read", (flow) => flow[lend]((bytes) => bytes.length)],
  "copy() to memory": ["read", (flow) => copy(flow, nullFlow)],
  "copy() to itself": ["read", (flow) => copy(flow, flow)],
  "readAll()": ["read", readAll],
  "write()": ["write", async (flow) => {
    for (;;) await flow.write(large);
  }],
  "[give]()": ["write", async (flow) => {
    for (;;) await flow[give]([new Uint8Array(100_000)]);
  }],
  "copyString()": ["write", async (flow) => {
    for (;;) await copyString("x".repeat(1_000_000), flow);
  }],
};

for (const [network, make] of Object.entries(networks)) {
  for (const [name, [operation, run]] of Object.entries(pending)) {
    test(`revoke() over ${network} rejects a pending ${name} at once, and resets the connection`, () =>
      withPair(make(), async ({ client, server, revoke }) => {
        const outcome = assertRevoked(run(client), operation);
        await turns(30); // until it waits
        revoke(reason);
        await outcome;
        await assertRevoked(client.read(new Uint8Array(9)), "read");
        await assertRevoked(client.write(bytesOf("x")), "write");
        assertThrows(() => client.setOption("TCP_NODELAY", true), NetError, "permission denied");
        await client.close();
        await assertRejects(async () => {
          while (await server.read(new Uint8Array(100_000)) !== null);
          throw new NetError("unknown", { operation: "read" }); // an orderly end
        }, NetError);
      }));
  }

  test(`revoke() over ${network} closes everything that was opened, and leaves nothing open`, async () => {
    const before = openCounts();
    await Switch.run(async (sw) => {
      const { net, revoke } = revocable(make());
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
      const socket = await net.datagramSocket(sw, udp("127.0.0.1", 0));
      const accepting = assertRevoked(listener.accept(sw), "accept");
      const receiving = assertRevoked(socket.recvMany(), "receive");
      revoke(reason);
      await Promise.all([accepting, receiving]);
      for (let turn = 0; turn < 500; turn++) {
        const { sockets, listeners } = openCounts();
        if (sockets === before.sockets && listeners === before.listeners) break;
        await yieldNow();
      }
      const { sockets, listeners, operations } = openCounts();
      assertEquals([sockets, listeners], [before.sockets, before.listeners]);
      assertEquals(operations, before.operations);
      await assertRevoked(listener.accept(sw), "accept");
      await assertRevoked(socket.send(bytesOf("x"), udp("127.0.0.1", 9)), "send");
      await assertRevoked(socket.recv(new Uint8Array(1)), "receive");
      await both(() => listener.close(), () => socket.close());
    });
  });

  test(`revoke() over ${network} rejects a pending recv()`, () =>
    Switch.run(async (sw) => {
      const { net, revoke } = revocable(make());
      const socket = await net.datagramSocket(sw, udp("127.0.0.1", 0));
      const receiving = assertRevoked(socket.recv(new Uint8Array(1)), "receive");
      await turns();
      revoke(reason);
      await receiving;
    }));

  test(`revoke() over ${network}: every operation of the network is refused afterwards`, () =>
    Switch.run(async (sw) => {
      const { net, revoke } = revocable(make());
      revoke(reason);
      await assertRevoked(net.connect(sw, tcp("127.0.0.1", 9)), "connect");
      await assertRevoked(net.listen(sw, tcp("127.0.0.1", 0)), "listen");
      await assertRevoked(net.datagramSocket(sw, "udp4"), "bind");
      await assertRevoked(net.getAddrInfo("127.0.0.1"), "lookup");
      await assertRevoked(net.getNameInfo(tcp("127.0.0.1", 9)), "lookup");
      await assertRevoked(net.getServices("_a._tcp.localhost"), "lookup");
      await assertRevoked(readIps(net, "localhost"), "lookup");
    }));

  test(`revoke() over ${network} resets connections that wait in the backlog`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const { net, revoke } = revocable(inner);
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const client = await inner.connect(sw, listener.address);
      await turns();
      revoke(reason);
      const outcome = await client.read(new Uint8Array(1)).catch((error) => error);
      assert(outcome === null || outcome instanceof NetError);
    }));

  test(`revoke() over ${network} ends both ways of a proxy()`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const { net, revoke } = revocable(inner);
      const target = await inner.listen(sw, tcp("127.0.0.1", 0));
      const relay = await net.listen(sw, tcp("127.0.0.1", 0));
      const [[connection, client], [upstream, server]] = await both(
        () => both(() => relay.accept(sw), () => inner.connect(sw, relay.address)),
        () => both(() => net.connect(sw, target.address), () => target.accept(sw)),
      );
      const relaying = assertRejects(() => proxy(connection, upstream));
      await copyString("through", client);
      assertEquals(await server.read(new Uint8Array(99)), 7);
      revoke(reason);
      await relaying;
      await assertCutOff(inner, server);
      await assertCutOff(inner, client);
    }));

  test(`revoke() over ${network} within a borrower, and within the closing of a connection, works`, () =>
    withPair(make(), async ({ client, server, net, listener, revoke }, sw) => {
      const second = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
      await copyString("hello", server);
      const reading = assertRevoked(second[0].read(new Uint8Array(9)), "read");
      let taken = 0;
      const borrowing = client[lend]((bytes) => {
        revoke(reason);
        return taken = bytes.length;
      });
      await Promise.resolve(borrowing).catch(() => {}); // a loan that had to wait has failed
      assertEquals(taken, 5);
      await reading;
      await assertRevoked(client[lend](() => 0), "read");
      revoke(new Error("again"));
      await assertRevoked(client.read(new Uint8Array(9)), "read");
    }));

  test(`revoke() over ${network} stops a runServer() of the network`, () =>
    Switch.run(async (sw) => {
      const inner = make();
      const { net, revoke } = revocable(inner);
      const listener = await net.listen(sw, tcp("127.0.0.1", 0));
      const serving = sw.forkPromise(() =>
        assertRejects(() => runServer(listener, (connection) => copy(connection, connection), { onError: () => {} }))
      );
      const client = await inner.connect(sw, listener.address);
      await copyString("hello", client);
      assertEquals(await client.read(new Uint8Array(9)), 5);
      revoke(reason);
      await serving;
      await client.close();
    }));

  test(`a connection of a revocable network over ${network} that is not revoked is unaffected by another's revoke()`, () =>
    withPair(make(), async ({ inner, client, server, listener }, sw) => {
      const other = revocable(inner);
      const [theirs] = await both(() => other.net.connect(sw, listener.address), () => listener.accept(sw));
      other.revoke(reason);
      await assertRevoked(theirs.read(new Uint8Array(1)));
      await copyString("hello", client);
      assertEquals(await server.read(new Uint8Array(9)), 5);
    }));
}

async function readIps(net: Net, name: string): Promise<string[]> {
  const found: string[] = [];
  for await (const ips of net.addresses(name)) found.push(...ips.map(String));
  return found;
}

/** A network whose connects and lookups never end, whatever is cancelled. */
function stubborn(): Net {
  const never = () => new Promise<never>(() => {});
  return {
    ...memoryNet(),
    connect: never,
    listen: never,
    datagramSocket: never,
    getAddrInfo: never,
    getNameInfo: never,
    getServices: never,
    addresses: () => ({ [Symbol.asyncIterator]: () => ({ next: never, return: never }) }),
  };
}

const attempts: Record<string, (net: Net, sw: Switch) => Promise<unknown>> = {
  "connect()": (net, sw) => net.connect(sw, tcp("127.0.0.1", 9)),
  "connect() to a name": (net, sw) => net.connect(sw, hostAddress("a.example", 9)),
  "listen()": (net, sw) => net.listen(sw, tcp("127.0.0.1", 9)),
  "datagramSocket()": (net, sw) => net.datagramSocket(sw, "udp4"),
  "getAddrInfo()": (net) => net.getAddrInfo("a.example"),
  "getNameInfo()": (net) => net.getNameInfo(tcp("127.0.0.1", 9)),
  "getServices()": (net) => net.getServices("_a._tcp.a.example"),
  "addresses()": (net) => net.addresses("a.example")[Symbol.asyncIterator]().next(),
};

for (const [name, attempt] of Object.entries(attempts)) {
  test(`revoke() rejects a pending ${name} at once, even if the network inside ignores cancellation`, () =>
    Switch.run(async (sw) => {
      const { net, revoke } = revocable(stubborn());
      const outcome = assertRevoked(attempt(net, sw));
      await turns(1);
      revoke(reason);
      await outcome;
    }));

  test(`revoke() during ${name} that is not awaited causes no unhandled rejection`, () =>
    Switch.run(async (sw) => {
      const { net, revoke } = revocable(stubborn());
      attempt(net, sw);
      await turns(1);
      revoke(reason);
      await turns();
    }));
}

test("revoke() closes what a connect opens later, and does not return it", async () => {
  await Switch.run(async (sw) => {
    let arrive = (_: StreamSocket) => {};
    const late = new Promise<StreamSocket>((resolve) => arrive = resolve);
    const events: unknown[] = [];
    const { net, revoke } = revocable({ ...memoryNet(), connect: () => late });
    const outcome = assertRevoked(net.connect(sw, tcp("127.0.0.1", 9)), "connect");
    await turns(1);
    revoke(reason);
    await outcome;
    arrive({ abort: () => events.push("aborted"), peer: tcp("127.0.0.1", 9) } as never);
    await turns();
    assertEquals(events, ["aborted"]);
  });
});

test("revoke() reaches networks that were derived from the revoked one", async () => {
  await Switch.run(async (sw) => {
    const inner = memoryNet();
    const { net, revoke } = revocable(inner);
    const counted = meter(net);
    const derived = wrapNet(limit(counted.net, { maxSockets: 10 }), {
      connect: (next) => next({ check: () => {} }),
    });
    const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
    const [client] = await both(() => derived.connect(sw, listener.address), () => listener.accept(sw));
    const mine = await derived.listen(sw, tcp("127.0.0.1", 0));
    const socket = await derived.datagramSocket(sw, "udp4");
    const outcomes = [
      assertRevoked(client.read(new Uint8Array(1)), "read"),
      assertRevoked(mine.accept(sw), "accept"),
      assertRevoked(socket.recvMany(), "receive"),
    ];
    await turns();
    assertEquals(counted.usage().sockets, 3);
    revoke(reason);
    await Promise.all(outcomes);
    await turns();
    assertEquals(counted.usage().sockets, 0);
    await assertRevoked(derived.connect(sw, listener.address), "connect");
  });
});

test("revoke() of a network that was made of a revocable one leaves the first as it is", async () => {
  await Switch.run(async (sw) => {
    const outer = revocable(memoryNet());
    const inner = revocable(outer.net);
    const listener = await outer.net.listen(sw, tcp("127.0.0.1", 0));
    const [client, server] = await both(() => inner.net.connect(sw, listener.address), () => listener.accept(sw));
    inner.revoke(reason);
    await assertRevoked(client.read(new Uint8Array(1)));
    await assertRejects(() => server.read(new Uint8Array(1)), NetError, "reset");
    await both(() => outer.net.connect(sw, listener.address), () => listener.accept(sw));
  });
});

test("revoke() ends an iteration of addresses() between two answers", async () => {
  const left: string[] = [];
  const inner: Net = {
    ...memoryNet(),
    async *addresses() {
      try {
        yield [tcp("192.0.2.1", 0).ip];
        await new Promise(() => {});
      } finally {
        left.push("left");
      }
    },
  };
  const { net, revoke } = revocable(inner);
  await assertRevoked(
    (async () => {
      for await (const ips of net.addresses("a.example")) {
        assertEquals(ips.map(String), ["192.0.2.1"]);
        revoke(reason);
      }
    })(),
    "lookup",
  );
  await turns(1);
  assertEquals(left, ["left"]);
});

test("revocable(): leaving an iteration of addresses() leaves that of the network inside", async () => {
  let left = 0;
  const inner: Net = {
    ...memoryNet(),
    async *addresses() {
      try {
        for (;;) yield [tcp("192.0.2.1", 0).ip];
      } finally {
        left++;
      }
    },
  };
  for await (const _ of revocable(inner).net.addresses("a.example")) break;
  assertEquals(left, 1);
});

test("revoke(): an operation that was cancelled first is cancelled", () =>
  withPair(memoryNet(), async ({ client, revoke }) => {
    let outcome: unknown;
    await first(
      () =>
        client.read(new Uint8Array(1)).catch((error) => {
          outcome = error;
          throw error;
        }),
      () => yieldNow(),
    );
    revoke(reason);
    assert(outcome instanceof Cancelled);
  }));

test("revoke() without a reason has no cause, and revoke() never throws", async () => {
  await Switch.run(async (sw) => {
    const { net, revoke } = revocable(memoryNet());
    const listener = await net.listen(sw, tcp("127.0.0.1", 0));
    const broken = {
      ...memoryNet(),
      connect: () =>
        Promise.resolve({
          peer: tcp("127.0.0.1", 9),
          abort: () => {
            throw new Error("Cannot abort");
          },
        } as never),
    };
    const other = revocable(broken);
    await other.net.connect(sw, tcp("127.0.0.1", 9));
    other.revoke();
    revoke();
    const error = await assertRejects(() => listener.accept(sw), NetError);
    assertEquals([error.code, "cause" in error], ["permission_denied", false]);
  });
});

test("revoke() fails a sink of copy() that waits, and the source keeps what was not taken", async () => {
  await Switch.run(async (sw) => {
    const inner = memoryNet();
    const { net, revoke } = revocable(inner);
    const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
    const [out] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw)); // whose peer does not read
    const [input, feeder] = await both(() => inner.connect(sw, listener.address), () => listener.accept(sw));
    const copying = assertRejects(() => copy(input, out), NetError);
    const feeding = sw.forkPromise(async () => {
      for (let i = 0; i < 10; i++) await copyString("x".repeat(50_000), feeder);
    });
    await turns(30);
    revoke(reason);
    const error = await copying;
    assertEquals([error.code, error.operation], ["permission_denied", "write"]);
    const { copied } = error as Error & { copied?: number };
    await both(() => feeding.then(() => feeder.shutdown("send")), async () => {
      assertEquals((await readAll(input)).length, 500_000 - (copied ?? 0));
    });
  });
});

test("a revocable network keeps the clock and the features, is frozen, and keeps nothing of a closed socket", async () => {
  const inner = memoryNet();
  const granted = revocable(inner);
  assertStrictEquals(granted.net.clock, inner.clock);
  assertEquals(granted.net.features, inner.features);
  assert(Object.isFrozen(granted) && Object.isFrozen(granted.net));
  assertThrows(() => revocable({} as Net), TypeError, "must be a Net");
  await Switch.run(async (sw) => {
    const listener = await inner.listen(sw, tcp("127.0.0.1", 0));
    let aborted = 0;
    const spied = revocable(wrapNet(inner, {
      connect: async (next) => {
        const connection = await next({});
        const { abort } = connection;
        return Object.freeze({
          ...connection,
          peer: connection.peer,
          local: connection.local,
          close: () => connection.close(),
          abort: (why?: unknown) => {
            aborted++;
            abort.call(connection, why);
          },
        }) as StreamSocket;
      },
    }));
    const [client] = await both(() => spied.net.connect(sw, listener.address), () => listener.accept(sw));
    await client.close();
    spied.revoke(reason);
    assertEquals(aborted, 0);
  });
});
