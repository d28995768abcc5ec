// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  awaitCancel,
  both,
  BufReader,
  copy,
  copyString,
  first,
  hostAddress,
  type Net,
  NetError,
  readAll,
  Switch,
  tcp,
  udp,
  unix,
  yieldNow,
} from "../../../mod.ts";
import { jointOf } from "../../../flow/internal.ts";
import { useTime } from "../../../switch/internal.ts";
import { type NetEvent, observe } from "../../../net/observe/mod.ts";
import { checkNet, memoryNet, mockClock, mockNet, simulate } from "../../../net/testing/mod.ts";
import { bytesOf, outcomeOf, turns } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { anyPort, withNet } from "../_helpers.ts";

const address = tcp("127.0.0.1", 80);

/** Returns an observed network in memory, and its events. */
function observed(net: Net = memoryNet({ hosts: { "db.example": ["10.0.0.5", "fd00::5"] } })): [Net, NetEvent[]] {
  const events: NetEvent[] = [];
  return [observe(net, (event) => void events.push(event)), events];
}

const typesOf = (events: readonly NetEvent[]) => events.map(({ type }) => type);

test("observe() reports a connection on both sides, in order, with the names of OpenTelemetry", async () => {
  const clock = mockClock();
  const [net, events] = observed(memoryNet({ clock }));
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, address);
    const [client, server] = await both(() => net.connect(sw, address), () => listener.accept(sw));
    await copyString("hello", client);
    await both(() => client.close(), async () => {
      await readAll(server);
      await server.close();
    });
    const port = (client.local as typeof address).port;
    const [listen, connect] = events;
    const [accept] = events.filter(({ type }) => type === "accept");
    const close = events.find(({ type, id }) => type === "close" && id === connect.id);
    const at = clock.now();
    const [local, peer] = [{ "network.local.address": "127.0.0.1" }, { "network.peer.address": "127.0.0.1" }];
    const common = { at, "network.transport": "tcp", "network.type": "ipv4", ...local } as const;
    assertEquals(listen, { ...common, type: "listen", id: listen.id, "network.local.port": 80 });
    const target = { "server.address": "127.0.0.1", "server.port": 80 };
    assertEquals(connect, { type: "connect", id: connect.id, at, "network.transport": "tcp", ...target });
    assertEquals(
      events.filter(({ type }) => type === "connected"),
      [{
        ...common,
        ...target,
        ...peer,
        type: "connected",
        id: connect.id,
        duration: 0,
        "network.local.port": port,
        "network.peer.port": 80,
      }],
    );
    assertEquals(
      events.filter(({ type }) => type === "accept"),
      [{
        ...common,
        ...peer,
        type: "accept",
        id: accept.id,
        listener: listen.id,
        "network.local.port": 80,
        "network.peer.port": port,
      }],
    );
    assertEquals(close, { type: "close", id: connect.id, at, duration: 0, received: 0, sent: 5 });
  });
  assertEquals(typesOf(events).slice(4), ["close", "close", "close"]);
  assertEquals(events.filter(({ type }) => type === "close").map(({ received }) => received).sort(), [0, 5, undefined]);
  assertEquals(new Set(events.map(({ id }) => id)).size, 3);
  assert(events.every(Object.isFrozen));
});

test("observe() says how long a connection was open, not how long it was awaited", async () => {
  const clock = mockClock();
  const [net, events] = observed(memoryNet({ clock }));
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, address);
    const accepting = listener.accept(sw);
    const pass = async (ms: number) => {
      const sleeping = clock.sleep(ms);
      clock.advance();
      await sleeping;
    };
    await pass(1000);
    const client = await net.connect(sw, address);
    const server = await accepting;
    await pass(50);
    server.abort();
    client.abort();
  });
  assertEquals(events.filter(({ type }) => type === "close").map(({ duration }) => duration), [50, 50, 1050]);
});

test("observe() reports a refused connection as an error with the code of the NetError", async () => {
  const [net, events] = observed();
  await Switch.run(async (sw) => {
    await assertRejects(() => net.connect(sw, tcp("127.0.0.1", 9)), NetError);
    await assertRejects(() => net.connect(sw, unix("/nowhere")), NetError);
  });
  assertEquals(typesOf(events), ["connect", "error", "connect", "error"]);
  const [connect, error, , path] = events;
  assertEquals([error.id, error.operation, error["error.type"]], [connect.id, "connect", "connection_refused"]);
  assertEquals([path["network.transport"], path["server.address"]], ["unix", "/nowhere"]);
  assertEquals(error["server.port"], 9);
});

test("observe() reports a listen and a bind that fail", async () => {
  const [net, events] = observed();
  await Switch.run(async (sw) => {
    await net.listen(sw, address);
    await assertRejects(() => net.listen(sw, address), NetError);
    await assertRejects(() => net.datagramSocket(sw, udp("192.0.2.1", 1)), NetError);
  });
  assertEquals(events.map(({ type, operation }) => operation ?? type), ["listen", "listen", "bind", "close"]);
  assertEquals(events[1]["error.type"], "address_in_use");
  assertEquals(events[1]["network.local.port"], 80);
});

test("observe() does not take a cancelled operation for an error", async () => {
  const inner = mockNet();
  inner.onConnect({ run: awaitCancel });
  const [net, events] = observed(inner);
  await Switch.run((sw) => first(() => net.connect(sw, address), () => yieldNow()));
  assertEquals(typesOf(events), ["connect", "close"]);

  const [other, more] = observed();
  await Switch.run(async (sw) => {
    const listener = await other.listen(sw, address);
    await first(() => listener.accept(sw), () => yieldNow());
    const flow = await other.connect(sw, address);
    await first(() => flow.read(new Uint8Array(1)), () => yieldNow());
    await (await listener.accept(sw)).close();
    const accepting = outcomeOf(() => listener.accept(sw));
    await listener.close();
    await accepting;
    await flow.close();
    await assertRejects(() => flow.read(new Uint8Array(1)));
  });
  assertEquals(more.filter(({ type }) => type === "error"), []);
});

test("observe() reports how a connection breaks once, and that it is closed", async () => {
  const [net, events] = observed();
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, address);
    const client = await net.connect(sw, address);
    const server = await listener.accept(sw);
    server.abort();
    for (let i = 0; i < 3; i++) await assertRejects(() => client.read(new Uint8Array(1)), NetError);
    await assertRejects(() => copy(client, client), NetError);
    const ofClient = events.filter(({ id }) => id === events[1].id);
    assertEquals(typesOf(ofClient).sort(), ["close", "connect", "connected", "error"]);
    const error = ofClient.find(({ type }) => type === "error");
    assertEquals([error?.operation, error?.["error.type"]], ["read", "connection_reset"]);
  });
});

test("observe() reports a lookup once, at its end, with its duration", async () => {
  const clock = mockClock();
  const inner = memoryNet({ clock, hosts: { "db.example": ["10.0.0.5", "fd00::5"] } });
  const [net, events] = observed(inner);
  await net.getAddrInfo("db.example");
  const ips: string[] = [];
  for await (const answer of net.addresses("db.example")) ips.push(...answer.map(String));
  await assertRejects(() => net.getAddrInfo("nowhere.example"), NetError);
  await assertRejects(() => net.getServices("_x._tcp.nowhere.example"), NetError);
  await net.getAddrInfo("10.0.0.1");
  for await (const _ of net.addresses("10.0.0.1"));
  assertEquals(typesOf(events), ["lookup", "lookup", "lookup", "lookup"]);
  const answers = ["10.0.0.5", "fd00::5"];
  const [one, two, three, four] = events;
  assertEquals([...new Set(one["dns.answers"])].sort(), answers);
  assertEquals([two.operation, two["dns.answers"], two["dns.question.name"]], ["addresses", ips, "db.example"]);
  assertEquals([three["error.type"], four["error.type"]], ["address_lookup_failed", "address_lookup_failed"]);
  assert(events.every(({ duration }) => duration === 0));
});

test("observe() measures a lookup by the clock of the network", () =>
  simulate({}, async (sim) => {
    sim.host("a");
    const client = sim.host("b");
    const [net, events] = observed(client.net);
    await client.fork(() => net.getAddrInfo("a"));
    assertEquals(typesOf(events), ["lookup"]);
    assertEquals(events[0].at, client.clock.now());
    assert(events[0].duration !== undefined && events[0].duration >= 0);
  }));

test("observe() reports a lookup that is left early, and one that is cancelled without an error", async () => {
  const [net, events] = observed();
  for await (const _ of net.addresses("db.example")) break;
  const inner = mockNet();
  inner.onGetAddrInfo({ run: awaitCancel });
  const [slow, more] = observed(inner);
  await first(() => slow.getAddrInfo("a.example"), () => yieldNow());
  assertEquals([events, more].map((each) => each.map((event) => [event.type, event["error.type"]])), [
    [["lookup", undefined]],
    [["lookup", undefined]],
  ]);
});

test("observe() reports a datagram socket by two events, and counts its datagrams", async () => {
  const [net, events] = observed();
  await Switch.run(async (sw) => {
    const a = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    const b = await net.datagramSocket(sw, udp("127.0.0.1", 0));
    for (let i = 0; i < 3; i++) await a.send(bytesOf("abc"), b.local);
    await b.recv(new Uint8Array(10));
    await a.close();
  });
  assertEquals(typesOf(events), ["datagram", "datagram", "close", "close"]);
  const [a, , closeA, closeB] = events;
  assertEquals([a["network.transport"], a["network.local.address"]], ["udp", "127.0.0.1"]);
  const counts = (
    { sent, received, datagramsSent, datagramsReceived }: NetEvent,
  ) => [sent, received, datagramsSent, datagramsReceived];
  assertEquals([counts(closeA), counts(closeB)], [[9, 0, 3, 0], [0, 3, 0, 1]]);
});

test("observe() fails the switch around it, once, with what the observer throws, and breaks no operation", async () => {
  const problem = new Error("Cannot observe");
  let calls = 0;
  let read = 0;
  const outcome = await outcomeOf(() =>
    Switch.run(async (sw) => {
      const net = observe(memoryNet(), () => {
        calls++;
        throw problem;
      });
      await Switch.run(async (inner) => {
        await net.listen(inner, address);
        read++;
      });
      sw.check();
    })
  );
  assertEquals([outcome, calls, read], [problem, 2, 1]);
});

test("observe() fails the switch around it with what the observer rejects with", async () => {
  const problem = new Error("Cannot observe");
  const observer = () => Promise.reject(problem) as unknown as void;
  const outcome = await outcomeOf(() =>
    Switch.run(async (sw) => {
      await observe(memoryNet(), observer).listen(sw, address);
      await yieldNow();
    })
  );
  assertEquals(outcome, problem);
});

/** Runs `fn`, and returns what was thrown in tasks of their own, where nothing else could catch it. */
async function thrownBy(fn: () => unknown): Promise<unknown[]> {
  const thrown: unknown[] = [];
  const time = useTime(undefined);
  const macrotask = (task: () => void) =>
    time.macrotask(() => {
      try {
        task();
      } catch (error) {
        thrown.push(error);
      }
    });
  useTime({ ...time, macrotask });
  try {
    await fn();
    await turns(2);
  } finally {
    useTime(time);
  }
  return thrown;
}

test("observe() outside any switch throws what the observer throws in a task of its own", async () => {
  const problem = new Error("Cannot observe");
  const net = observe(memoryNet(), ({ type }) => {
    if (type === "listen") throw problem;
  });
  assertEquals(await thrownBy(() => Switch.run((sw) => net.listen(sw, address))), [problem]);
});

test("observe() does the same once the switch around it has ended", async () => {
  const problem = new Error("Cannot observe");
  const net = await Switch.run(() =>
    Promise.resolve(observe(memoryNet(), ({ type }) => {
      if (type === "listen") throw problem;
    }))
  );
  assertEquals(await thrownBy(() => Switch.run((sw) => net.listen(sw, address))), [problem]);
});

test("observe() calls the observer without this", async () => {
  const seen: unknown[] = [];
  const net = observe(memoryNet(), function (this: unknown) {
    seen.push(this);
  });
  await Switch.run((sw) => net.listen(sw, address));
  assertEquals(seen, [undefined, undefined]);
});

test("observe() twice reports to both", async () => {
  const [one, inner] = observed();
  const [two, outer] = observed(one);
  await Switch.run((sw) => two.listen(sw, address));
  assertEquals([typesOf(inner), typesOf(outer)], [["listen", "close"], ["listen", "close"]]);
});

test("observe() keeps the fast path between sockets", async () => {
  await withNet(async (sw, system) => {
    const [net, events] = observed(system);
    const listener = await net.listen(sw, anyPort);
    const [client, server] = await both(() => net.connect(sw, listener.address), () => listener.accept(sw));
    assert(jointOf(client) !== undefined && jointOf(server) !== undefined);
    sw.fork(async () => {
      await copy(server, server);
      await server.close();
    });
    await copyString("hello\n", client);
    assertEquals(await new BufReader(client).line(), "hello");
    await client.close();
    assertEquals(events.find(({ type, sent }) => type === "close" && sent === 6)?.received, 6);
  });
});

test("observe() reports a connection to a name by that name, and the address that it has reached", async () => {
  const [net, events] = observed();
  await Switch.run(async (sw) => {
    await net.listen(sw, tcp("10.0.0.5", 80));
    await net.connect(sw, hostAddress("db.example", 80));
  });
  const connected = events.find(({ type }) => type === "connected");
  assertEquals([connected?.["server.address"], connected?.["network.peer.address"]], ["db.example", "10.0.0.5"]);
});

test("observe() refuses what is not a network or a function", () => {
  assertThrows(() => observe({} as never, () => {}), TypeError, "a Net");
  assertThrows(() => observe(memoryNet(), undefined as never), TypeError, "function");
});

for (const check of checkNet(() => Promise.resolve(observe(memoryNet(), () => {})), {})) {
  test(`observe() network: ${check.name}`, check.run);
}
