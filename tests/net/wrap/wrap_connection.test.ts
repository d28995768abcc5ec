// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { give, type GivingSink, lend, type LendingSource } from "../../../flow/provider.ts";
import {
  both,
  Cancelled,
  ClosedError,
  type Connection,
  copy,
  copyString,
  first,
  nullFlow,
  readAll,
  type StreamSocket,
  Switch,
  tcp,
  withBufWriter,
  yieldNow,
} from "../../../mod.ts";
import { socketPair } from "../../../net/testing/mod.ts";
import { type ByteQuota, type ConnectionHooks, wrapConnection } from "../../../net/wrap/mod.ts";
import { bytesOf, textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { secured, serverOptions } from "../tls/_helpers.ts";
import { tlsServer } from "../../../net/tls/mod.ts";

type Fast = StreamSocket & LendingSource & GivingSink;

/** Returns a wrapped end of an in-memory connection, and the calls of its hooks. */
function wrapped(hooks: ConnectionHooks = {}): { flow: Fast; inner: StreamSocket; peer: StreamSocket; told: string[] } {
  const [inner, peer] = socketPair();
  const told: string[] = [];
  const flow = wrapConnection(inner, {
    received: (size) => void told.push(`received ${size}`),
    sent: (size) => void told.push(`sent ${size}`),
    closed: () => told.push("closed"),
    ...hooks,
  }) as Fast;
  return { flow, inner, peer, told };
}

/** A user's connection with only the required members. */
function plain(hooks: Partial<Connection> & Record<symbol, unknown> = {}): Connection {
  return {
    local: tcp("10.0.0.1", 1),
    peer: tcp("10.0.0.2", 2),
    read: () => Promise.resolve(null),
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    shutdown: () => Promise.resolve(),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...hooks,
  } as Connection;
}

class Refused extends Error {}

const operations: Record<string, (flow: Fast) => unknown> = {
  "read()": (flow) => flow.read(new Uint8Array(9)),
  "[lend]()": (flow) => flow[lend]((bytes) => Promise.resolve(bytes.length)),
  "write()": (flow) => flow.write(bytesOf("hello")),
  "[give]()": (flow) => flow[give]([bytesOf("hello")]),
  "setOption()": async (flow) => await flow.setOption("TCP_NODELAY", true),
  "getOption()": async (flow) => await flow.getOption("TCP_NODELAY"),
};

for (const [name, operate] of Object.entries(operations)) {
  test(`wrapConnection(): check refuses ${name}, and nothing has been done`, async () => {
    const refusal = new Refused("Cannot use this");
    const { flow, peer, told } = wrapped({
      check: () => {
        throw refusal;
      },
    });
    await copyString("waiting", peer);
    assertStrictEquals(await assertRejects(async () => await operate(flow), Refused), refusal);
    assertEquals(told, []);
    assertEquals(await first(() => peer.read(new Uint8Array(9)), () => yieldNow()), undefined);
    await flow.close();
    await peer.close();
  });
}

test("wrapConnection(): check receives the operation", async () => {
  const asked: string[] = [];
  const { flow, peer } = wrapped({ check: (operation) => void asked.push(operation) });
  await copyString("more than one read takes", peer);
  for (const operate of Object.values(operations)) await Promise.resolve(operate(flow)).catch(() => {});
  assertEquals(asked, ["read", "read", "write", "write", "setOption", "getOption"]);
  await peer.close();
  await flow.close();
});

test("wrapConnection(): a refused read loses no bytes", async () => {
  let allowed = false;
  const { flow, peer, told } = wrapped({
    check: () => {
      if (!allowed) throw new Refused("Cannot use this");
    },
  });
  await copyString("hello", peer);
  await assertRejects(() => flow.read(new Uint8Array(9)), Refused);
  allowed = true;
  const buffer = new Uint8Array(9);
  assertEquals(textOf(buffer.subarray(0, await flow.read(buffer) ?? 0)), "hello");
  assertEquals(told, ["received 5"]);
  await flow.close();
  await peer.close();
});

test("wrapConnection(): shutdown(), close() and abort() are never refused", async () => {
  const check = () => {
    throw new Refused("Cannot use this");
  };
  const { flow, peer } = wrapped({ check });
  await flow.shutdown("send");
  assertEquals((await readAll(peer)).length, 0);
  await flow.close();
  await peer.close();
  const other = wrapped({ check });
  other.flow.abort();
  await other.peer.close();
});

test("wrapConnection() has the fast paths, abort and options of what it wraps, and no others", () => {
  const members = ["abort", "setOption", "getOption", lend, give] as const;
  const bare: object = wrapConnection(plain(), {});
  for (const member of members) assert(!(member in bare), String(member));
  for (const member of members) {
    const one: object = wrapConnection(plain({ [member]: () => {} } as never), {});
    for (const other of members) assertEquals(other in one, other === member, String(other));
  }
});

test("wrapConnection() over a connection without fast paths is one that copy() and withBufWriter() can use", async () => {
  const told: string[] = [];
  const parts = ["hello ", "world"];
  let taken = "";
  const flow = wrapConnection(
    plain({
      read(buffer) {
        const part = parts.shift();
        if (part !== undefined) buffer.set(bytesOf(part));
        return Promise.resolve(part?.length ?? null);
      },
      write(bytes) {
        taken += textOf(bytes.subarray(0, 4));
        return Promise.resolve(Math.min(bytes.length, 4));
      },
    }),
    { received: (size) => void told.push(`received ${size}`), sent: (size) => void told.push(`sent ${size}`) },
  );
  assertEquals(await copy(flow, nullFlow), 11);
  await withBufWriter(flow, (writer) => writer.string("goodbye"));
  assertEquals(taken, "goodbye");
  assertEquals(told, ["received 6", "received 5", "sent 4", "sent 3"]);
});

const endings: Record<string, (flow: StreamSocket) => unknown> = {
  "close()": (flow) => flow.close(),
  "abort()": (flow) => flow.abort(),
  "disposing": (flow) => flow[Symbol.asyncDispose](),
  "two closes at once": (flow) => both(() => flow.close(), () => flow.close()),
  "close() and then abort()": async (flow) => {
    await flow.close();
    flow.abort();
  },
  "abort() and then close()": async (flow) => {
    flow.abort();
    await flow.close();
  },
  "abort() while it closes": async (flow) => {
    const closing = flow.close();
    flow.abort();
    await closing;
  },
};

for (const [name, end] of Object.entries(endings)) {
  test(`wrapConnection(): closed is called exactly once after ${name}`, async () => {
    const { flow, peer, told } = wrapped();
    await end(flow);
    assertEquals(told, ["closed"]);
    await flow.close();
    await flow.close();
    assertEquals(told, ["closed"]);
    await assertRejects(() => flow.write(bytesOf("x")), ClosedError);
    await peer.close();
  });
}

test("wrapConnection(): closed is called when the close fails too, and close() waits for what it returns", async () => {
  const order: string[] = [];
  const error = new Error("Cannot close");
  const flow = wrapConnection(plain({ close: () => Promise.reject(error) }), {
    closed: async () => {
      await yieldNow();
      order.push("closed");
    },
  });
  assertStrictEquals(await assertRejects(() => flow.close(), Error), error);
  assertEquals(order, ["closed"]);
});

test("wrapConnection(): close() throws what closed throws, after an abort too", async () => {
  const { flow, peer } = wrapped({
    closed: () => {
      throw new Refused("Cannot be told");
    },
  });
  flow.abort();
  await assertRejects(() => flow.close(), Refused);
  await assertRejects(() => flow.close(), Refused);
  await peer.close();
});

test("wrapConnection() counts what a borrower took, and nothing for one that throws or lies", async () => {
  const { flow, peer, told } = wrapped();
  await copyString("hello", peer);
  await assertRejects(() => flow[lend](() => Promise.reject(new Refused("Cannot take"))), Refused);
  await assertRejects(() =>
    flow[lend](() => {
      throw new Refused("Cannot take");
    }), Refused);
  for (const lie of [6, -1, 0.5, NaN]) await assertRejects(() => flow[lend](() => lie), RangeError);
  assertEquals(await flow[lend](() => 0), 0);
  assertEquals(told, []);
  await flow[lend](() => Promise.resolve(2));
  await flow[lend](() => 1);
  assertEquals(told, ["received 2", "received 1"]);
  await flow.close();
  await peer.close();
});

test("wrapConnection() counts what was taken before a cancellation, and no more", async () => {
  const { flow, peer, told } = wrapped();
  const large = new Uint8Array(200_000);
  const written = await first(async () => {
    let done = 0;
    try {
      while (done < large.length) done += await flow.write(large.subarray(done));
    } catch (error) {
      assert(error instanceof Cancelled);
    }
    return done;
  }, async () => {
    for (let i = 0; i < 5; i++) await yieldNow();
    return undefined;
  });
  assertEquals(written, undefined);
  const sent = told.reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
  flow.shutdown("send").catch(() => {});
  assertEquals((await readAll(peer)).length, sent);
  assertEquals(await first(() => flow.read(new Uint8Array(1)), () => yieldNow()), undefined);
  assert(!told.some((line) => line.startsWith("received")));
  await flow.close();
  await peer.close();
});

test("wrapConnection() counts each piece of a lender that lends several, and checks before each", async () => {
  const told: number[] = [];
  let allowed = 3;
  const pieces = ["one", "two", "three", "four"].map(bytesOf);
  const lender = {
    /** Like a stream: repeats while everything is consumed at once. */
    async [lend](use: (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => number | Promise<number>) {
      let total = 0;
      for (let piece = pieces[0]; piece !== undefined; piece = pieces[0]) {
        const taken = await use(piece, true);
        if (taken === piece.length) pieces.shift();
        total += taken;
      }
      return total || null;
    },
  };
  const flow = wrapConnection(plain(lender), {
    check: () => {
      if (allowed-- === 0) throw new Refused("Cannot read");
    },
    received: (size) => void told.push(size),
  }) as Connection & LendingSource;
  await assertRejects(() => flow[lend]((bytes) => bytes.length), Refused);
  assertEquals(told, [3, 3, 5]);
  assertEquals(pieces.length, 1);
  allowed = 9;
  assertEquals(await flow[lend]((bytes) => bytes.length), 4);
});

test("wrapConnection() passes on at once what a sink answers at once", () => {
  let sent = 0;
  const sink = { [give]: (buffers: Uint8Array[]) => buffers[0].length } as never;
  const flow = wrapConnection(plain(sink), { check: () => {}, sent: (size) => void (sent += size) }) as Fast;
  assertEquals(flow[give]([bytesOf("hello")]) as unknown, 5);
  assertEquals(sent, 5);
});

test("wrapConnection() without a hook passes the operations on as they are", async () => {
  const [inner, peer] = socketPair();
  const flow = wrapConnection(inner, {});
  await both(() => copyString("hello", flow), () => copyString("hello", peer));
  assertEquals(await flow.read(new Uint8Array(9)), 5);
  await flow.close();
  await peer.close();
});

test("wrapConnection(): hooks can replace local and peer", async () => {
  const { flow, peer } = wrapped({ local: tcp("192.0.2.1", 443), peer: tcp("198.51.100.7", 4711) });
  assertEquals([flow.local, flow.peer], [tcp("192.0.2.1", 443), tcp("198.51.100.7", 4711)]);
  await peer.close();
  await flow.close();
});

test("wrapConnection() can wrap a wrapper, and the hooks of both are called", async () => {
  const { flow, peer, told } = wrapped();
  const outer: string[] = [];
  const twice = wrapConnection(flow, {
    sent: (size) => void outer.push(`sent ${size}`),
    closed: () => outer.push("closed"),
  });
  await copyString("hello", twice);
  await twice.close();
  assertEquals([told, outer], [["sent 5", "closed"], ["sent 5", "closed"]]);
  await peer.close();
});

test("wrapConnection() under TLS counts the encrypted bytes, and over TLS the plain ones", async () => {
  await Switch.run(async (sw) => {
    const { flow, peer, told } = wrapped();
    const [client, server] = await secured(sw, [flow, peer]);
    const plainTold: string[] = [];
    const counted = wrapConnection(client, { sent: (size) => void plainTold.push(`sent ${size}`) });
    await both(() => copyString("hello", counted), () => server.read(new Uint8Array(9)));
    await both(() => counted.close(), () => server.close());
    assertEquals(plainTold, ["sent 5"]);
    assert(told.some((line) => line.startsWith("received")) && told.some((line) => line.startsWith("sent")));
    assertEquals(told.filter((line) => line === "closed"), ["closed"]);
    assert(!("protocol" in counted));
  });
});

test("wrapConnection(): a check that refuses fails a handshake of TLS with what it throws", async () => {
  await Switch.run(async (sw) => {
    const { flow, peer } = wrapped({
      check: () => {
        throw new Refused("Cannot use this");
      },
    });
    await assertRejects(() => tlsServer(sw, flow, serverOptions), Refused);
    await peer.close();
  });
});

test("wrapConnection() does not expose the connection, and calls its hooks without this", async () => {
  let self: unknown = "never called";
  const { flow, peer } = wrapped({
    check(this: unknown) {
      self = this;
    },
  });
  await copyString("x", flow);
  assertEquals(self, undefined);
  assert(Object.isFrozen(flow) && Object.isFrozen(Object.getPrototypeOf(flow)));
  assertEquals((flow as { constructor?: unknown }).constructor, Object);
  for (const key of Reflect.ownKeys(flow)) assertEquals(typeof Reflect.get(flow, key), "function");
  await flow.close();
  await peer.close();
});

test("wrapConnection() refuses anything but a connection, and hooks that are not functions", () => {
  const [inner] = socketPair();
  for (const strange of [null, 5, {}, { read: () => {} }]) {
    assertThrows(() => wrapConnection(strange as never, {}), TypeError, "must be a Connection");
  }
  assertThrows(() => wrapConnection(inner, { check: 5 as never }), TypeError, "check must be a function");
  for (const strange of [5, null, undefined]) {
    assertThrows(() => wrapConnection(inner, strange as never), TypeError, "hooks must be an object");
  }
  assertThrows(() => wrapConnection(inner, { peer: { transport: "udp" } as never }), TypeError);
  inner.abort();
});

/** A quota of bytes, and the calls of its methods. */
function quotaOf(size: number): { quota: ByteQuota; left(): number; told: string[] } {
  const told: string[] = [];
  let left = size;
  const quota: ByteQuota = {
    take(size, least) {
      const taken = Math.min(size, left);
      if (taken < least) throw new Refused("Cannot take more");
      left -= taken;
      told.push(`take ${taken}`);
      return taken;
    },
    giveBack(size) {
      left += size;
      told.push(`give back ${size}`);
    },
  };
  return { quota, left: () => left, told };
}

test("wrapConnection(): a quota limits each read and write to what is left, and refuses the next", async () => {
  const [incoming, outgoing] = [quotaOf(8), quotaOf(7)];
  const { flow, peer, told } = wrapped({ incoming: incoming.quota, outgoing: outgoing.quota });
  await copyString("hello, world", peer);
  assertEquals(await flow.read(new Uint8Array(5)), 5);
  assertEquals(await flow[lend]((bytes) => bytes.length), 3);
  await assertRejects(() => flow.read(new Uint8Array(9)), Refused);
  await assertRejects(() => flow[lend]((bytes) => bytes.length), Refused);
  assertEquals(await flow.write(bytesOf("hello")), 5);
  assertEquals(await flow[give]([bytesOf("a"), bytesOf("bcd")]), 2);
  await assertRejects(() => flow.write(bytesOf("hello")), Refused);
  await assertRejects(() => copyString("hello", flow), Refused);
  await flow.close();
  assertEquals(textOf(await readAll(peer)), "helloab");
  assertEquals(told, ["received 5", "received 3", "sent 5", "sent 2", "closed"]);
  await peer.close();
});

test("wrapConnection() gives back to a quota what an operation has not moved, also if it is cancelled", async () => {
  const { quota, left } = quotaOf(1_000_000);
  const { flow, peer, told } = wrapped({ outgoing: quota });
  await first(async () => {
    for (;;) await flow.write(new Uint8Array(50_000));
  }, async () => {
    for (let i = 0; i < 5; i++) await yieldNow();
  });
  const sent = told.reduce((sum, line) => sum + Number(line.split(" ")[1]), 0);
  assert(sent > 0);
  assertEquals(left(), 1_000_000 - sent);
  flow.abort();
  await assertRejects(() => flow.write(bytesOf("x")), ClosedError);
  assertEquals(left(), 1_000_000 - sent);
  await peer.close();
});

const waits: Record<string, (flow: Fast) => Promise<unknown>> = {
  "read()": (flow) => flow.read(new Uint8Array(9)),
  "[lend]()": (flow) => flow[lend]((bytes) => bytes.length),
  "copy()": (flow) => copy(flow, nullFlow),
  "copy() to a stream": (flow) => copy(flow, flow),
  "write()": async (flow) => {
    for (;;) await flow.write(new Uint8Array(50_000));
  },
  "[give]()": async (flow) => {
    for (;;) await flow[give]([new Uint8Array(50_000)]);
  },
  "copyString()": (flow) => copyString("x".repeat(1_000_000), flow),
};

for (const [name, wait] of Object.entries(waits)) {
  test(`wrapConnection(): failed returns the error of a ${name} that had begun`, async () => {
    const seen: unknown[] = [];
    const { flow, peer } = wrapped({
      failed: (error, operation) => {
        seen.push(error, operation);
        return new Refused("Cannot go on");
      },
    });
    const outcome = assertRejects(() => wait(flow), Refused);
    for (let i = 0; i < 5; i++) await yieldNow();
    flow.abort();
    await outcome;
    assert(seen[0] instanceof ClosedError);
    assertEquals(seen[1], seen[0].operation);
    await peer.close();
  });
}

test("wrapConnection(): failed does not see what check, a quota or a borrower throws", async () => {
  let allowed = 2;
  const { flow, peer } = wrapped({
    check: () => {
      if (allowed-- === 0) throw new Refused("Cannot use this");
    },
    incoming: quotaOf(0).quota,
    failed: () => new Error("seen"),
  });
  await copyString("hello", peer);
  await assertRejects(() => flow.read(new Uint8Array(1)), Refused, "Cannot take more");
  await assertRejects(() => flow[lend](() => 1), Refused, "Cannot take more");
  await assertRejects(() => flow.read(new Uint8Array(1)), Refused, "Cannot use this");
  await flow.close();
  const other = wrapped({ failed: () => new Error("seen") });
  await copyString("hello", other.peer);
  await assertRejects(() => other.flow[lend](() => Promise.reject(new Refused("No"))), Refused);
  await both(() => other.flow.close(), () => other.peer.close());
  await peer.close();
});

test("copy() between two wrapped streams calls every hook of both, for each piece", async () => {
  const from = wrapped({ check: (operation) => void from.told.push(`check ${operation}`) });
  const to = wrapped({ check: (operation) => void to.told.push(`check ${operation}`) });
  const copying = copy(from.flow, to.flow);
  for (const text of ["hello", "you"]) {
    await copyString(text, from.peer);
    assertEquals(await to.peer.read(new Uint8Array(9)), text.length);
  }
  await from.peer.shutdown("send");
  assertEquals(await copying, 8);
  assertEquals(from.told.filter((line) => line.startsWith("received")), ["received 5", "received 3"]);
  assertEquals(to.told, ["check write", "sent 5", "check write", "sent 3"]);
  for (const { flow, peer } of [from, to]) await both(() => flow.close(), () => peer.close());
});

test("copy() between wrapped streams ends with what a check, or a quota, throws, and says how far it came", async () => {
  for (
    const hooks of [
      { outgoing: quotaOf(7).quota },
      {
        check: ((allowed) => () => {
          if (allowed-- === 0) throw new Refused("Cannot write");
        })(1),
      },
    ]
  ) {
    const from = wrapped();
    const to = wrapped(hooks);
    const copying = assertRejects(() => copy(from.flow, to.flow), Refused);
    await copyString("hello", from.peer);
    await to.peer.read(new Uint8Array(9));
    await copyString("again", from.peer);
    const { copied } = await copying as Refused & { copied?: number };
    assertEquals(copied, "outgoing" in hooks ? 7 : 5);
    assertEquals(from.told.map((line) => line.split(" ")[0]), copied === 7 ? ["received", "received"] : ["received"]);
    for (const { flow, peer } of [from, to]) await both(() => flow.close(), () => peer.close());
  }
});

/** Returns hooks that tell of pending operations and of the peer's end. */
function pendingHooks(told: string[]): ConnectionHooks {
  return {
    pending: (operation) => {
      told.push(`${operation} waits`);
      return () => void told.push(`${operation} settled`);
    },
    ended: () => void told.push("ended"),
  };
}

test("wrapConnection(): pending tells of a shutdown, and of a write that has to wait, until they settle", async () => {
  const told: string[] = [];
  const { flow, peer } = wrapped({ ...pendingHooks(told), sent: undefined, received: undefined });
  assertEquals(flow[give]([bytesOf("hello")]), 5);
  assertEquals(told, []);
  const filling = flow[give]([new Uint8Array(100_000)]);
  assertEquals(typeof filling, "number"); // what fits
  const waiting = Promise.resolve(flow[give]([new Uint8Array(100_000)]));
  assertEquals(told, ["write waits"]);
  await yieldNow();
  assertEquals(told, ["write waits"]);
  await peer.read(new Uint8Array(100_000));
  await waiting;
  assertEquals(told.splice(0), ["write waits", "write settled"]);
  await flow.shutdown("receive");
  assertEquals(told, []);
  await assertRejects(() => flow.shutdown("both" as never), TypeError);
  assertEquals(told, []);
  await flow.shutdown("send");
  assertEquals(told, ["shutdown waits", "shutdown settled"]);
  await both(() => flow.close(), () => peer.close());
});

test("wrapConnection(): pending tells when a write has failed or was cancelled", async () => {
  const told: string[] = [];
  const { flow, peer } = wrapped({ ...pendingHooks(told), sent: undefined });
  flow[give]([new Uint8Array(100_000)]);
  await first(() => flow.write(bytesOf("x")), () => yieldNow());
  assertEquals(told.splice(0), ["write waits", "write settled"]);
  const failing = assertRejects(() => Promise.resolve(flow[give]([bytesOf("x")])));
  peer.abort();
  await failing;
  assertEquals(told, ["write waits", "write settled"]);
  flow.abort();
});

test("wrapConnection(): ended tells of the peer's end on every path, but not of this side's", async () => {
  const reads: Record<string, (flow: Fast) => Promise<unknown>> = {
    read: (flow) => flow.read(new Uint8Array(9)),
    lend: (flow) => flow[lend]((bytes) => bytes.length),
    copy: (flow) => copy(flow, nullFlow),
    "copy to a wrapper": (flow) => copy(flow, wrapped().flow),
    readAll: (flow) => readAll(flow),
  };
  for (const [name, read] of Object.entries(reads)) {
    for (const more of [{}, { failed: (error: unknown) => error }, { check: () => {} }] as ConnectionHooks[]) {
      const told: string[] = [];
      const { flow, peer } = wrapped({ ...pendingHooks(told), ...more });
      await peer.shutdown("send");
      await read(flow);
      assertEquals(told, ["ended"], name);
      await both(() => flow.close(), () => peer.close());
    }
  }
  const told: string[] = [];
  const { flow, peer } = wrapped(pendingHooks(told));
  await flow.shutdown("receive");
  assertEquals(await flow.read(new Uint8Array(9)), null);
  assertEquals(told, []);
  await both(() => flow.close(), () => peer.close());
});

test("copy() between two wrapped streams tells when a piece has to wait", async () => {
  const told: string[] = [];
  const from = wrapped();
  const to = wrapped({ ...pendingHooks(told), sent: () => void told.push("sent") });
  const copying = copy(from.flow, to.flow);
  await copyString("hello", from.peer);
  assertEquals(told.splice(0), ["sent"]);
  const filling = (async () => {
    for (let i = 0; i < 4; i++) await from.peer.write(new Uint8Array(60_000));
    await from.peer.shutdown("send");
  })();
  await yieldNow();
  assertEquals(told.at(-1), "write waits");
  await both(() => readAll(to.peer), async () => {
    await both(() => copying, () => filling);
    await to.flow.shutdown("send");
  });
  assertEquals(told.filter((line) => line.endsWith("waits")).length, told.filter((l) => l.endsWith("settled")).length);
  for (const { flow, peer } of [from, to]) await both(() => flow.close(), () => peer.close());
});
