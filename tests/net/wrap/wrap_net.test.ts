// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  awaitCancel,
  both,
  type Cancelled,
  type ConnectOptions,
  copyString,
  type DatagramOptions,
  first,
  hostAddress,
  type ListeningSocket,
  type Net,
  NetError,
  readAll,
  runServer,
  type StreamAddress,
  type StreamSocket,
  Switch,
  tcp,
  udp,
  yieldNow,
} from "../../../mod.ts";
import { memoryNet, mockFlow, mockNet } from "../../../net/testing/mod.ts";
import { type NetHooks, wrapDatagramSocket, wrapListener, wrapNet } from "../../../net/wrap/mod.ts";
import { bytesOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { fakeListener, fakeNet, FakeStream } from "../_fake_provider.ts";
import { called, finishedSwitch, microtasks } from "../_helpers.ts";
import { counting } from "./_counting.ts";

const at = tcp("127.0.0.1", 80);

class Refused extends Error {}

function refuse(): never {
  throw new Refused("Cannot do this");
}

const methods: Record<string, (net: Net, sw: Switch) => Promise<unknown>> = {
  connect: (net, sw) => net.connect(sw, at),
  listen: (net, sw) => net.listen(sw, at),
  datagramSocket: (net, sw) => net.datagramSocket(sw, "udp4"),
  getAddrInfo: (net) => net.getAddrInfo("a.example"),
  getNameInfo: (net) => net.getNameInfo(at),
  getServices: (net) => net.getServices("_http._tcp.a.example"),
};

for (const [name, ask] of Object.entries(methods)) {
  test(`wrapNet(): a hook of ${name}() refuses it, and nothing is asked of the network`, async () => {
    await Switch.run(async (sw) => {
      const { net, provider } = fakeNet();
      await assertRejects(() => ask(wrapNet(net, { [name]: refuse }), sw), Refused);
      await assertRejects(() => ask(wrapNet(net, { [name]: () => Promise.reject(new Refused("No")) }), sw), Refused);
      assertEquals(provider.calls, []);
    });
  });

  test(`wrapNet(): a hook of ${name}() is not called in a cancelled scope`, async () => {
    const { net, provider } = fakeNet();
    let asked = 0;
    const wrapped = wrapNet(net, { [name]: () => asked++ });
    await Switch.run(async (sw) => {
      sw.fail(new Error("over"));
      await ask(wrapped, sw).catch((error: Cancelled) => assertEquals(error.name, "Cancelled"));
    }).catch(() => {});
    assertEquals([asked, provider.calls.length], [0, 0]);
  });
}

test("wrapNet(): hooks are not called for a finished switch, nor for an invalid switch or address", async () => {
  let asked = 0;
  const hook = () => asked++ as never;
  const net = wrapNet(memoryNet(), { connect: hook, listen: hook, datagramSocket: hook });
  const sw = await finishedSwitch();
  for (const name of ["connect", "listen", "datagramSocket"]) {
    await assertRejects(() => methods[name](net, sw), TypeError, "finished");
    await assertRejects(() => methods[name](net, {} as Switch), TypeError, "must be a Switch");
  }
  await Switch.run(async (sw) => {
    await assertRejects(() => net.connect(sw, udp("127.0.0.1", 1) as never), TypeError);
    await assertRejects(() => net.listen(sw, 5 as never), TypeError);
    await assertRejects(() => net.datagramSocket(sw, "udp5" as never), TypeError);
    await assertRejects(() => net.connect(sw, at, 5 as never), TypeError, "options must be an object");
  });
  assertEquals(asked, 0);
});

test("wrapNet(): the operation uses the values that a hook has seen, even if the caller's objects change", async () => {
  await Switch.run(async (sw) => {
    const { net, provider } = fakeNet();
    const judged: (number | undefined)[] = [];
    const wrapped = wrapNet(net, {
      connect: (next, target, options) => {
        assert(Object.isFrozen(target) && Object.isFrozen(options));
        judged.push((target as { port: number }).port, (options.bindTo as { port: number }).port);
        return next();
      },
    });
    let asked = 0;
    const shifty = {
      transport: "tcp",
      ip: at.ip,
      get port() {
        return 80 + asked++;
      },
    } as StreamAddress;
    const options: ConnectOptions = {
      get bindTo() {
        return tcp("127.0.0.1", 1000 + asked++);
      },
    };
    const connecting = wrapped.connect(sw, shifty, options);
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
    assertEquals(judged, [80, 1001]);
    assertEquals([provider.targets, provider.calls], [["tcp:127.0.0.1:80"], ["connect from tcp:127.0.0.1:1001"]]);
  });
});

test("wrapNet(): a hook can ask something else of the network inside", async () => {
  await Switch.run(async (sw) => {
    const inner = memoryNet({ hosts: { "a.example": ["127.0.0.1"] } });
    const listener = await inner.listen(sw, at);
    const net = wrapNet(inner, {
      connect: (next, target, options, owner) =>
        target.transport === "host" ? inner.connect(owner, tcp("127.0.0.1", target.port), options) : next(),
      getAddrInfo: async (next) => (await next()).filter(({ transport }) => transport === "tcp"),
    });
    await both(() => net.connect(sw, hostAddress("a.example", 80)), () => listener.accept(sw));
    assertEquals(await net.getAddrInfo("a.example"), [tcp("127.0.0.1", 0)]);
  });
});

test("wrapNet(): addresses() is what the hook makes of it", async () => {
  const found = [[at.ip], []];
  const inner = {
    ...memoryNet(),
    async *addresses() {
      yield* found;
    },
  };
  const read = async (net: Net) => {
    const all: unknown[] = [];
    const { addresses } = net as Net & { addresses(name: string): AsyncIterable<unknown> };
    for await (const some of addresses("a.example")) all.push(some);
    return all;
  };
  assertEquals(await read(wrapNet(inner, {})), found);
  const judged: string[] = [];
  const wrapped = wrapNet(inner, {
    async *addresses(next, name) {
      judged.push(name);
      for await (const some of next()) if (some.length > 0) yield some;
    },
  });
  assertEquals([await read(wrapped), judged], [[[at.ip]], ["a.example"]]);
  await assertRejects(() => read(wrapNet(inner, { addresses: refuse })), Refused);
});

test("wrapNet() is frozen, calls hooks without this, reads them once, and has the clock and features of the network", async () => {
  const inner = memoryNet();
  let self: unknown = "never called";
  const hooks: NetHooks = {
    getServices(this: unknown, next) {
      self = this;
      return next();
    },
  };
  const net = wrapNet(inner, hooks);
  hooks.getServices = refuse;
  await assertRejects(() => net.getServices("_a._tcp.a.example"), NetError);
  assertEquals(self, undefined);
  assert(Object.isFrozen(net));
  assertStrictEquals(net.clock, inner.clock);
  assertEquals(net.features, inner.features);
  (net.features as Set<unknown>).clear();
  assertEquals(net.features, inner.features);
});

test("wrapNet() wraps nothing for which it has no hooks", async () => {
  const inner = mockNet();
  await Switch.run(async (sw) => {
    for (const hooks of [{}, { connect: (next: () => Promise<StreamSocket>) => next() }]) {
      const flow = mockFlow("flow");
      inner.onConnect({ return: flow });
      assertStrictEquals<StreamSocket>(await wrapNet(inner, hooks).connect(sw, at), flow);
    }
  });
});

test("wrapNet(): what was opened is closed at once where the hook fails after that", async () => {
  await Switch.run(async (sw) => {
    const inner = memoryNet();
    const listener = await inner.listen(sw, at);
    let closed = 0;
    const net = wrapNet(inner, {
      connect: async (next) => (await next({ closed: () => closed++ }), refuse()),
      listen: async (next) => (await next({ closed: () => closed++ }), refuse()),
      datagramSocket: async (next) => (await next({ closed: () => closed++ }), refuse()),
    });
    const [, server] = await both(() => assertRejects(() => net.connect(sw, at), Refused), () => listener.accept(sw));
    await assertRejects(() => server.read(new Uint8Array(1)), NetError);
    await assertRejects(() => net.listen(sw, tcp("127.0.0.1", 81)), Refused);
    await assertRejects(() => net.datagramSocket(sw, udp("127.0.0.1", 82)), Refused);
    await yieldNow();
    assertEquals(closed, 3);
    await inner.listen(sw, tcp("127.0.0.1", 81)); // the address is free again
    await inner.datagramSocket(sw, udp("127.0.0.1", 82));
  });
});

test("wrapNet() closes what was opened if the hooks are invalid, and throws", async () => {
  await Switch.run(async (sw) => {
    const inner = memoryNet();
    const listener = await inner.listen(sw, at);
    for (const hooks of [{ check: 5 }, { closed: () => {}, sent: 5 }, { peer: 5 }]) {
      const net = wrapNet(inner, { connect: (next) => next(hooks as never) });
      const [, server] = await both(
        () => assertRejects(() => net.connect(sw, at), TypeError),
        () => listener.accept(sw),
      );
      await assertRejects(() => server.read(new Uint8Array(1)), NetError);
    }
  });
  for (const strange of [5, null, undefined]) {
    assertThrows(() => wrapNet(memoryNet(), strange as never), TypeError, "hooks must be an object");
    assertThrows(() => wrapNet(strange as never, {}), TypeError, "net must be a Net");
  }
  assertThrows(() => wrapNet(memoryNet(), { listen: 5 as never }), TypeError, "listen must be a function");
});

const endings: Record<string, (sw: Switch) => Promise<void>> = {
  "ends": () => Promise.resolve(),
  "fails": (sw) => Promise.resolve(sw.fail(new Refused("Cannot go on"))),
  "throws": refuse,
};

for (const [name, end] of Object.entries(endings)) {
  test(`wrapNet(): closed is called exactly once for each thing of a switch that ${name}`, async () => {
    const { net, usage } = counting(memoryNet());
    await Switch.run(async (outer) => {
      const listener = await net.listen(outer, at);
      await Switch.run(async (sw) => {
        await both(() => net.connect(sw, at), () => listener.accept(sw));
        await net.listen(sw, tcp("127.0.0.1", 81));
        await net.datagramSocket(sw, "udp4");
        const early = await net.datagramSocket(sw, "udp4");
        await early.close();
        assertEquals(usage.open, 5);
        await end(sw);
      }).catch((error) => assert(error instanceof Refused));
      assertEquals(usage.open, 1);
    });
    assertEquals(usage.open, 0);
  });
}

test("wrapNet(): two ends of one connection in one switch do not wait for each other when it ends", async () => {
  const { net, usage } = counting(memoryNet());
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, at);
    const [client, server] = await both(() => net.connect(sw, at), () => listener.accept(sw));
    await both(() => copyString("hello", client), () => copyString("hello", server));
  });
  assertEquals(usage.open, 0);
});

test("wrapNet(): closed is called for a connection that the peer has broken, once its switch ends", async () => {
  const inner = memoryNet();
  const { net, usage } = counting(inner);
  await Switch.run(async (outer) => {
    const listener = await inner.listen(outer, at);
    await Switch.run(async (sw) => {
      const [client, server] = await both(() => net.connect(sw, at), () => listener.accept(outer));
      server.abort();
      await assertRejects(() => client.read(new Uint8Array(1)), NetError);
    });
    assertEquals(usage.open, 0);
  });
});

test("wrapNet(): a failed connect calls no closed", async () => {
  let closed = 0;
  const net = wrapNet(memoryNet(), { connect: (next) => next({ closed: () => closed++ }) });
  await Switch.run((sw) => assertRejects(() => net.connect(sw, at), NetError));
  assertEquals(closed, 0);
});

test("wrapNet(): a connect that a switch abandons leaves nothing behind", async () => {
  const { net, provider } = fakeNet();
  let closed = 0;
  const wrapped = wrapNet(net, { connect: (next) => next({ closed: () => closed++ }) });
  const stream = new FakeStream();
  await Switch.run(async (sw) => {
    wrapped.connect(sw, at).catch(() => {});
    await called(() => provider.connects.length === 1);
  });
  provider.connects[0].succeed(stream);
  await microtasks();
  assertEquals([closed, stream.state], [0, "aborted"]);
});

test("wrapNet() closes what a foreign network opens too late for its switch", async () => {
  let arrive = (_: StreamSocket) => {};
  const late = new Promise<StreamSocket>((resolve) => arrive = resolve);
  const events: string[] = [];
  const foreign: Net = { ...memoryNet(), connect: () => late };
  const net = wrapNet(foreign, { connect: (next) => next({ closed: () => events.push("closed") }) });
  let connecting: Promise<unknown> = Promise.resolve();
  await Switch.run((sw) => {
    connecting = net.connect(sw, at).catch((error) => error);
  });
  arrive({ abort: () => events.push("aborted"), peer: at, local: at } as never);
  assert(await connecting instanceof Error);
  assertEquals(events, ["aborted", "closed"]);
});

// Accepting.

test("wrapListener(): a connection that arrives after its caller was cancelled goes to the next caller", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const wrapped = wrapListener(listener, {
      accept: async (next) => {
        const connection = await next();
        await microtasks(10); // a hook takes some turns
        return connection;
      },
    });
    const stream = new FakeStream();
    const outcome = await first(async () => await wrapped.accept(sw), async () => {
      system.arrive(stream);
      await microtasks(3);
      return "cancelled";
    });
    assertEquals(outcome, "cancelled");
    await microtasks();
    assertEquals(stream.state, "open");
    assertEquals((await wrapped.accept(sw)).peer, stream.peer);
  });
});

test("wrapListener(): a late connection goes to a pending caller, or is reset by close()", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const accept = async (next: () => Promise<StreamSocket>) => {
      const connection = await next();
      await microtasks(10);
      return connection;
    };
    const wrapped = wrapListener(listener, { accept });
    const [one, two] = [new FakeStream(), new FakeStream()];
    const lose = (stream: FakeStream) =>
      first(async () => void await wrapped.accept(sw), async () => {
        system.arrive(stream);
        await microtasks(3);
      });
    await lose(one);
    assertEquals((await wrapped.accept(sw)).peer, one.peer);
    await lose(two);
    await microtasks();
    await wrapped.close();
    assertEquals([one.state, two.state], ["open", "aborted"]);
  });
});

test("wrapListener(): check refuses to accept, and no connection is taken", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    system.arrive();
    await assertRejects(() => wrapListener(listener, { check: refuse }).accept(sw), Refused);
    await assertRejects(() => wrapListener(listener, { accept: refuse }).accept(sw), Refused);
    assertEquals(system.queue.length, 1);
  });
});

test("wrapListener() has the address and the count of the listener", async () => {
  await Switch.run(async (sw) => {
    const { listener, system } = await fakeListener(sw);
    const wrapped: ListeningSocket = wrapListener(listener, {});
    system.overflow(3);
    assertEquals([wrapped.dropped, wrapped.address], [3, listener.address]);
    const bare = wrapListener({ address: at, accept: awaitCancel, close: () => Promise.resolve() } as never, {});
    assertEquals(bare.dropped, undefined);
    assert(Object.isFrozen(wrapped));
  });
});

test("wrapListener(): closed is called exactly once", async () => {
  await Switch.run(async (sw) => {
    const { listener } = await fakeListener(sw);
    let closed = 0;
    const wrapped: ListeningSocket = wrapListener(listener, { closed: () => closed++ });
    await both(() => wrapped.close(), () => wrapped.close());
    await wrapped[Symbol.asyncDispose]();
    assertEquals(closed, 1);
  });
});

test("runServer() serves and drains a wrapped listener as any other", async () => {
  await Switch.run(async (sw) => {
    const inner = memoryNet();
    const { net, usage } = counting(inner);
    const listener = await net.listen(sw, at);
    const stop = new AbortController();
    const served = sw.forkPromise(() =>
      runServer(listener, (connection) => copyString("hello", connection), {
        onError: (error) => sw.fail(error),
        stop: stop.signal,
      })
    );
    for (let i = 0; i < 3; i++) {
      const client = await inner.connect(sw, at);
      assertEquals((await readAll(client)).length, 5);
      await client.close();
    }
    stop.abort();
    await served;
    assertEquals([usage.bytesOut, usage.open], [15, 0]);
  });
});

// Datagrams.

test("wrapDatagramSocket(): check sees the very address that is sent to, and refuses before anything is sent", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    const [a, b] = [await net.datagramSocket(sw, "udp4"), await net.datagramSocket(sw, udp("127.0.0.1", 0))];
    const judged: number[] = [];
    const socket = wrapDatagramSocket(a, {
      check: (operation, to) => {
        if (operation !== "send") return;
        assert(Object.isFrozen(to));
        judged.push((to as { port: number }).port);
        if (judged.length === 1) refuse();
      },
    });
    let asked = 0;
    const { ip, port } = b.local;
    const shifty = {
      transport: "udp" as const,
      ip,
      get port() {
        return port + asked++;
      },
    };
    await assertRejects(() => socket.send(bytesOf("no"), b.local), Refused);
    await socket.send(bytesOf("yes"), shifty);
    assertEquals(judged, [port, port]);
    assertEquals((await b.recv(new Uint8Array(9))).size, 3);
  });
});

test("wrapDatagramSocket(): check receives the destination of a connected socket", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    const target = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const places: unknown[] = [];
    const options: DatagramOptions = { remote: target.local };
    const socket = wrapDatagramSocket(await net.datagramSocket(sw, "udp4", options), {
      check: (_, to) => void places.push(to),
      sent: (size, to) => void places.push(size, to),
    });
    await socket.send(bytesOf("hello"));
    assertEquals(places, [target.local, 5, target.local]);
  });
});

test("wrapDatagramSocket(): a refused receive consumes no datagram, and closed is called exactly once", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    const [a, b] = [await net.datagramSocket(sw, "udp4"), await net.datagramSocket(sw, udp("127.0.0.1", 0))];
    let closed = 0;
    const socket = wrapDatagramSocket(b, { check: refuse, closed: () => closed++ });
    await a.send(bytesOf("hello"), b.local);
    await assertRejects(() => socket.recv(new Uint8Array(9)), Refused);
    await assertRejects(() => socket.recvMany(), Refused);
    assertThrows(() => socket.setOption("SO_BROADCAST", true), Refused);
    assertThrows(() => socket.getOption("SO_BROADCAST"), Refused);
    assertEquals((await b.recv(new Uint8Array(9))).size, 5);
    await both(() => socket.close(), () => socket.close());
    assertEquals(closed, 1);
    assert(Object.isFrozen(socket));
  });
});

// Examples of wrappers, each in a few lines.

/** Returns a network, and a function that closes everything opened through it. */
function revocable(inner: Net): { net: Net; revoke(): void } {
  let revoked = false;
  const cut = new Set<() => unknown>();
  const check = () => {
    if (revoked) throw new NetError("permission_denied", { operation: "connect" });
  };
  const opened = async (opening: Promise<StreamSocket>) => {
    const connection = await opening;
    cut.add(() => connection.abort());
    return connection;
  };
  const net = wrapNet(inner, {
    connect: (next) => (check(), opened(next({ check }))),
    async listen(next) {
      check();
      const listener = await next({ check, accept: (next) => opened(next({ check })) });
      cut.add(() => listener.close());
      return listener;
    },
    getServices: (next) => (check(), next()),
  });
  const revoke = () => {
    revoked = true;
    for (const close of cut) close();
  };
  return { net, revoke };
}

test("a revocable network is a few hooks", async () => {
  await Switch.run(async (sw) => {
    const { net, revoke } = revocable(memoryNet());
    const listener = await net.listen(sw, at);
    const [client] = await both(() => net.connect(sw, at), () => listener.accept(sw));
    revoke();
    await assertRejects(() => client.read(new Uint8Array(1)), NetError);
    for (const use of [() => net.connect(sw, at), () => listener.accept(sw), () => net.getServices("_a._tcp.b")]) {
      assertEquals((await assertRejects(use, NetError)).code, "permission_denied");
    }
  });
});

test("a quota of sockets is a few hooks", async () => {
  await Switch.run(async (sw) => {
    let places = 1;
    const inner = memoryNet();
    const net = wrapNet(inner, {
      async connect(next, target) {
        if (places === 0) throw new NetError("quota_exceeded", { operation: "connect", address: target });
        places--;
        try {
          return await next({ closed: () => places++ });
        } catch (error) {
          places++;
          throw error;
        }
      },
    });
    assertEquals((await assertRejects(() => net.connect(sw, at), NetError)).code, "connection_refused");
    await inner.listen(sw, at);
    const one = await net.connect(sw, at);
    assertEquals((await assertRejects(() => net.connect(sw, at), NetError)).code, "quota_exceeded");
    await one.close();
    await (await net.connect(sw, at)).close();
    await Switch.run((inside) => net.connect(inside, at));
    assertEquals(places, 1);
  });
});

test("wrapNet(): gone is called once, before closed, and as soon as the peer has broken the connection", async () => {
  await Switch.run(async (sw) => {
    const inner = memoryNet();
    const told: string[] = [];
    const hooks = { gone: () => void told.push("gone"), closed: () => told.push("closed") };
    const net = wrapNet(inner, { connect: (next) => next(hooks), listen: (next) => next(hooks) });
    const listener = await inner.listen(sw, at);
    const open = () => both(() => net.connect(sw, at), () => listener.accept(sw));
    const [one, server] = await open();
    server.abort();
    await assertRejects(() => one.read(new Uint8Array(1)), NetError);
    await yieldNow();
    assertEquals(told, ["gone"]);
    await one.close();
    assertEquals(told, ["gone", "closed"]);
    const [two] = await open();
    two.abort();
    await two.close();
    const own = await net.listen(sw, tcp("127.0.0.1", 81));
    await own.close();
    assertEquals(told.slice(2), ["gone", "closed", "gone", "closed"]);
  });
});

test("wrapNet(): gone is called when a wrapper inside has closed a socket", async () => {
  await Switch.run(async (sw) => {
    const opened: { close(): Promise<void> }[] = [];
    const keep = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
      const it = await opening;
      opened.push(it);
      return it;
    };
    const inside = wrapNet(memoryNet(), {
      connect: (next) => keep(next({ closed: () => {} })),
      listen: (next) => keep(next({ closed: () => {} })),
      datagramSocket: (next) => keep(next({ closed: () => {} })),
    });
    const between = wrapNet(inside, {
      connect: (next) => next({}),
      listen: (next) => next({}),
      datagramSocket: (next) => next({}),
    });
    let gone = 0;
    const hooks = { gone: () => void gone++ };
    const net = wrapNet(between, {
      connect: (next) => next(hooks),
      listen: (next) => next(hooks),
      datagramSocket: (next) => next(hooks),
    });
    const listener = await net.listen(sw, at);
    await both(() => net.connect(sw, at), () => listener.accept(sw));
    await net.datagramSocket(sw, "udp4");
    for (const one of opened) await one.close();
    assertEquals([opened.length, gone], [3, 3]);
  });
});

test("wrapDatagramSocket(): failed returns the error of a receive that had begun", async () => {
  await Switch.run(async (sw) => {
    const socket = wrapDatagramSocket(await memoryNet().datagramSocket(sw, "udp4"), {
      failed: (_, operation) => new Refused(operation),
    });
    const receiving = assertRejects(() => socket.recvMany(), Refused, "receive");
    await yieldNow();
    await socket.close();
    await receiving;
    await assertRejects(() => socket.send(bytesOf("x"), udp("127.0.0.1", 9)), Refused, "send");
  });
});
