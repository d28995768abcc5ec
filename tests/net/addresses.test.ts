// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertFalse, assertInstanceOf, assertRejects } from "@std/assert";
import {
  Cancelled,
  connectAny,
  first,
  IpAddress,
  type Net,
  run,
  Switch,
  tcp,
  type TcpAddress,
  udp,
} from "../../mod.ts";
import { memoryNet } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { fakeNet, type FakeProvider, FakeStream } from "./_fake_provider.ts";
import { assertNetError, called, microtasks, signal, withNet } from "./_helpers.ts";

const parse = (...ips: string[]) => ips.map((ip) => IpAddress.parse(ip));

/** Reads all answers into `into` as text. */
async function collect(net: Net, name: string, into: string[] = []): Promise<string[]> {
  for await (const ips of net.addresses(name)) into.push(ips.join(" "));
  return into;
}

/** Starts a lookup, and returns it with the answers read so far. */
async function asking(): Promise<{ provider: FakeProvider; answers: string[]; done: Promise<unknown> }> {
  const { net, provider } = fakeNet();
  const answers: string[] = [];
  const done = collect(net, "example.com", answers);
  done.catch(() => {});
  await called(() => provider.lookups.length === 1);
  return { provider, answers, done };
}

test("addresses() yields one list in the resolver's order, if the resolver answers once", async () => {
  const { provider, answers, done } = await asking();
  provider.lookups[0].succeed(parse("10.0.0.2", "::1", "10.0.0.1"));
  await done;
  assertEquals(answers, ["10.0.0.2 ::1 10.0.0.1"]);
});

test("addresses() yields each family as it arrives, and once", async () => {
  const { provider, answers, done } = await asking();
  provider.found(parse("10.0.0.1", "10.0.0.2", "10.0.0.1"));
  await called(() => answers.length === 1);
  await microtasks();
  provider.found(parse("::1"));
  await called(() => answers.length === 2);
  provider.lookups[0].succeed(parse("::1", "10.0.0.1", "10.0.0.2"));
  await done;
  assertEquals(answers, ["10.0.0.1 10.0.0.2", "::1"]);
});

test("addresses() yields late answers without duplicates, and no empty list", async () => {
  const { provider, answers, done } = await asking();
  provider.found([]);
  provider.found(parse("::1"));
  provider.lookups[0].succeed(parse("::1", "10.0.0.1"));
  await done;
  assertEquals(answers, ["::1", "10.0.0.1"]);
});

test("addresses() keeps answers that arrive before they are read", async () => {
  const { net, provider } = fakeNet();
  const iterator = net.addresses("example.com")[Symbol.asyncIterator]();
  const next = iterator.next();
  await called(() => provider.lookups.length === 1);
  provider.found(parse("::1"));
  assertEquals((await next).value?.join(), "::1");
  provider.found(parse("::2"));
  provider.lookups[0].succeed(parse("::1", "::2", "10.0.0.1"));
  await microtasks();
  assertEquals((await iterator.next()).value?.join(), "::2");
  assertEquals((await iterator.next()).value?.join(), "10.0.0.1");
  assertEquals([await iterator.next(), await iterator.next()], Array(2).fill({ done: true, value: undefined }));
});

test("addresses() asks nothing before it is iterated, and anew each time", async () => {
  const { net, provider } = fakeNet();
  const addresses = net.addresses("example.com");
  await microtasks();
  assertEquals(provider.calls, []);
  for (const count of [1, 2]) {
    const reading = addresses[Symbol.asyncIterator]().next();
    await called(() => provider.lookups.length === count);
    provider.lookups[count - 1].succeed(parse("::1"));
    await reading;
  }
  assertEquals(provider.calls, ["lookup example.com", "lookup example.com"]);
});

test("addresses() abandons the question when its loop is left", async () => {
  const { net, provider } = fakeNet();
  const leaving = (async () => {
    for await (const _ of net.addresses("example.com")) break;
  })();
  await called(() => provider.lookups.length === 1);
  provider.found(parse("::1"));
  await leaving;
  assertEquals(provider.lookups[0].cancels, 1);
  provider.found(parse("::2"));
  provider.lookups[0].fail(new Error("Too late"));
  await microtasks();
});

test("addresses() that is left while an answer is awaited ends, and abandons the question", async () => {
  const { net, provider } = fakeNet();
  const iterator = net.addresses("example.com")[Symbol.asyncIterator]();
  const next = iterator.next();
  await called(() => provider.lookups.length === 1);
  await iterator.return?.();
  assertEquals([await next, provider.lookups[0].cancels], [{ done: true, value: undefined }, 1]);
});

test("addresses() that is not awaited ends silently with its switch", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async () => {
    net.addresses("example.com")[Symbol.asyncIterator]().next();
    await called(() => provider.lookups.length === 1);
  });
  assertEquals(provider.lookups[0].cancels, 1);
});

test("addresses() that was read to its end abandons nothing", async () => {
  const { provider, done } = await asking();
  provider.lookups[0].succeed(parse("::1"));
  await done;
  assertEquals(provider.lookups[0].cancels, 0);
});

test("addresses() that is cancelled abandons the question, and ends", async () => {
  const { net, provider } = fakeNet();
  const iterator = net.addresses("example.com")[Symbol.asyncIterator]();
  await first(() => iterator.next(), () => called(() => provider.lookups.length === 1));
  assertEquals(provider.lookups[0].cancels, 1);
  provider.found(parse("::1"));
  provider.lookups[0].succeed(parse("::1"));
  assertEquals(await iterator.next(), { done: true, value: undefined });
});

test("addresses() that is cancelled between two answers yields no more", async () => {
  const { net, provider } = fakeNet();
  const answers: string[] = [];
  const failed = Switch.run(async (sw) => {
    const reading = (async () => {
      for await (const ips of net.addresses("example.com")) {
        answers.push(ips.join());
        sw.fail(new Error("Cannot go on"));
      }
    })();
    await called(() => provider.lookups.length === 1);
    provider.found(parse("::1"));
    provider.found(parse("::2"));
    await assertRejects(() => reading, Cancelled);
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals([answers, provider.lookups[0].cancels], [["::1"], 1]);
});

test("addresses() asks no resolver in a cancelled scope", async () => {
  const { net, provider } = fakeNet();
  const failed = Switch.run(async (sw) => {
    sw.fail(new Error("Cannot go on"));
    await assertRejects(() => collect(net, "example.com"), Cancelled);
  });
  await assertRejects(() => failed, Error, "Cannot go on");
  assertEquals(provider.calls, []);
});

test("addresses() of a literal asks no resolver", async () => {
  const { net, provider } = fakeNet();
  assertEquals([await collect(net, "::1"), await collect(net, "127.0.0.1")], [["::1"], ["127.0.0.1"]]);
  assertEquals(provider.calls, []);
});

for (const name of ["", "a b", "127.1", "0x7f000001", "a..b", "[::1]"]) {
  test(`addresses() of ${JSON.stringify(name)} is address_lookup_failed and asks no resolver`, async () => {
    const { net, provider } = fakeNet();
    const error = await assertNetError(() => collect(net, name), "address_lookup_failed");
    assertEquals([error.lookupCode, provider.calls], ["NONAME", []]);
    assertInstanceOf(error.cause, SyntaxError);
  });
}

test("addresses() of anything but a string is a TypeError", async () => {
  const { net, provider } = fakeNet();
  for (const name of [1, null, undefined, {}, Symbol()]) {
    await assertRejects(() => collect(net, name as string), TypeError, "must be a string");
  }
  assertEquals(provider.calls, []);
});

test("addresses() fails as getAddrInfo() does", async () => {
  const cases: [cause: unknown, code: string, lookupCode: string | undefined][] = [
    [Object.assign(new Error("getaddrinfo failed"), { code: "ENOTFOUND" }), "address_lookup_failed", "NONAME"],
    [Object.assign(new Error("getaddrinfo failed"), { code: "EAI_AGAIN" }), "address_lookup_failed", "AGAIN"],
    [Object.assign(new Error("getaddrinfo failed"), { code: "EPERM" }), "permission_denied", undefined],
  ];
  for (const [cause, code, lookupCode] of cases) {
    const { provider, done } = await asking();
    provider.lookups[0].fail(cause);
    const error = await assertNetError(() => done as Promise<void>, code as "unknown");
    assertEquals([error.lookupCode, error.cause, error.context], [lookupCode, cause, ['looking up "example.com"']]);
  }
  const { provider, done } = await asking();
  provider.lookups[0].succeed([]);
  assertEquals((await assertNetError(() => done as Promise<void>, "address_lookup_failed")).lookupCode, "NONAME");
});

test("addresses() exposes nothing mutable", async () => {
  const { net } = fakeNet();
  const addresses = net.addresses("::1");
  const iterator = addresses[Symbol.asyncIterator]();
  const { value } = await iterator.next();
  assertEquals([addresses, iterator, value].map(Object.isFrozen), [true, true, true]);
});

test("addresses() of a network in memory yields what its hosts have", async () => {
  const net = memoryNet({ hosts: { "a.example": ["::2", "10.0.0.1"] } });
  assertEquals(await collect(net, "a.example"), ["::2 10.0.0.1"]);
  await assertNetError(() => collect(net, "b.example"), "address_lookup_failed");
});

test("addresses() of the system knows localhost", async () => {
  await withNet(async (_, net) => {
    const all = (await collect(net, "localhost")).join(" ").split(" ");
    assertEquals(all.filter((ip) => ip !== "127.0.0.1" && ip !== "::1"), []);
    assertFalse(all.length === 0);
  });
});

test("addresses() with nameServers yields localhost without asking", () =>
  run(async ({ net }) => {
    assertEquals(await collect(net, "localhost"), ["::1 127.0.0.1"]);
  }, { nameServers: [udp("127.0.0.1", 9)] }));

// Wrappers of addresses().

/** Filters the addresses of a name, as a restricting network does. */
async function* judged(net: Net, name: string, allowed: (ip: IpAddress) => boolean): AsyncGenerator<TcpAddress[]> {
  for await (const ips of net.addresses(name)) yield ips.filter(allowed).map((ip) => tcp(ip, 80));
}

test("connectAny() of filtered addresses starts with early ones", async () => {
  const { net, provider, clock } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = connectAny(net, sw, judged(net, "example.com", () => true));
    await called(() => provider.lookups.length === 1);
    provider.found(parse("::1"));
    await called(() => provider.connects.length === 1);
    provider.found(parse("10.0.0.1"));
    await microtasks(200);
    assertEquals(provider.targets, ["tcp:[::1]:80"]);
    clock.setTime(250);
    await called(() => provider.connects.length === 2);
    const stream = new FakeStream();
    provider.connects[1].succeed(stream);
    await connecting;
    assertEquals(provider.targets, ["tcp:[::1]:80", "tcp:10.0.0.1:80"]);
    assertEquals([provider.connects[0].cancels, provider.lookups[0].cancels, stream.state], [1, 1, "open"]);
  });
  assertFalse(clock.tryAdvance());
});

test("connectAny() lets early IPv4 addresses wait 50 ms for IPv6 ones that are still to come", async () => {
  const { net, provider, clock } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = connectAny(net, sw, judged(net, "example.com", () => true));
    await called(() => provider.lookups.length === 1);
    provider.found(parse("10.0.0.1"));
    await microtasks(200);
    clock.setTime(49);
    await microtasks(200);
    assertEquals(provider.targets, []);
    clock.setTime(50);
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
  });
});

test("connectAny() of judged addresses connects to no other", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = connectAny(net, sw, judged(net, "example.com", ({ version }) => version === 4));
    await called(() => provider.lookups.length === 1);
    provider.found(parse("::1"));
    provider.lookups[0].succeed(parse("::1", "10.0.0.1"));
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
    assertEquals(provider.targets, ["tcp:10.0.0.1:80"]);
  });
});

test("connectAny() fails with what its addresses throw, and abandons every attempt", async () => {
  const { net, provider } = fakeNet();
  const failure = new Error("Not allowed");
  const late = new FakeStream();
  await Switch.run(async (sw) => {
    const refuse = () => {
      throw failure;
    };
    const connecting = connectAny(net, sw, judged(net, "example.com", ({ version }) => version === 6 || refuse()));
    connecting.catch(() => {});
    await called(() => provider.lookups.length === 1);
    provider.found(parse("::1"));
    await called(() => provider.connects.length === 1);
    provider.found(parse("10.0.0.1"));
    assertEquals(await assertRejects(() => connecting, Error), failure);
    assertEquals([provider.connects[0].cancels, provider.lookups[0].cancels], [1, 1]);
    provider.connects[0].succeed(late);
    await microtasks();
    assertEquals(late.state, "aborted");
  });
});

test("connectAny() fails as the lookup of its addresses does", async () => {
  await Switch.run(async (sw) => {
    const net = memoryNet();
    const connecting = connectAny(net, sw, judged(net, "no.example", () => true));
    assertEquals((await assertNetError(() => connecting, "address_lookup_failed")).lookupCode, "NONAME");
  });
});

test("connectAny() that waits for addresses is cancelled at once, and calls their return()", async () => {
  const { net } = fakeNet();
  const asked = signal();
  let returns = 0;
  const silent = {
    [Symbol.asyncIterator]: () => ({
      next() {
        asked.resolve();
        return new Promise<never>(() => {});
      },
      return() {
        returns++;
        return new Promise<never>(() => {});
      },
    }),
  };
  await Switch.run(async (sw) => {
    await first(() => connectAny(net, sw, silent), () => asked.promise);
    await assertNetError(() => {
      const connecting = connectAny(net, sw, silent, { timeout: 5 });
      connecting.catch(() => {});
      return microtasks().then(() => (net.clock as FakeProvider["clock"]).advance()).then(() => connecting);
    }, "connection_timeout");
  });
  assertEquals(returns, 2);
});

test("connectAny() of a winner does not wait for addresses that never come", async () => {
  const { net, provider } = fakeNet();
  let returns = 0;
  const slow = async function* () {
    try {
      yield [tcp("::1", 80)];
      await new Promise<never>(() => {});
    } finally {
      returns++;
    }
  };
  await Switch.run(async (sw) => {
    const connecting = connectAny(net, sw, slow());
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
  });
  assertEquals(returns, 0);
});

test("connectAny() of no addresses is a RangeError, from a list or an iterable", async () => {
  const { net, provider } = fakeNet();
  const none = async function* () {};
  const empty = async function* () {
    yield [];
  };
  await Switch.run(async (sw) => {
    await assertRejects(() => connectAny(net, sw, none()), RangeError, "no address was given");
    await assertRejects(() => connectAny(net, sw, empty()), RangeError, "no address was given");
    await assertRejects(() => connectAny(net, sw, new Set<TcpAddress>()), RangeError, "empty");
  });
  assertEquals(provider.calls, []);
});

test("connectAny() refuses what an AsyncIterable may not yield, and leaves it", async () => {
  const { net, provider } = fakeNet();
  const of = (value: unknown, left: () => void) =>
    async function* () {
      try {
        yield value as TcpAddress[];
        await new Promise<never>(() => {});
      } finally {
        left();
      }
    }();
  let left = 0;
  await Switch.run(async (sw) => {
    for (const [value, expected] of [[5, TypeError], [[5], TypeError], [[tcp("::1", 0)], RangeError]] as const) {
      await assertRejects(() => connectAny(net, sw, of(value, () => left++)), expected, "Cannot");
    }
  });
  assertEquals([left, provider.calls], [3, []]);
});

test("connectAny() takes any iterable of addresses", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = connectAny(net, sw, new Set([tcp("10.0.0.1", 80)]));
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
  });
});

test("connect() to a host registers one release hook, however many attempts there are", async () => {
  const { net, provider, clock } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = net.connect(sw, { transport: "host", name: "example.com", port: 80 });
    const resources = () => sw.dump().split("\n").filter((line) => line.includes("resource"));
    await called(() => provider.lookups.length === 1);
    provider.lookups[0].succeed(parse("::1", "10.0.0.1"));
    await called(() => provider.connects.length === 1);
    await microtasks(200);
    clock.setTime(250);
    await called(() => provider.connects.length === 2);
    assertEquals(resources().map((line) => line.trim()), ["resource: host:example.com:80"]);
    provider.connects[1].succeed(new FakeStream());
    const socket = await connecting;
    assertEquals(resources().map((line) => line.trim()), ["resource: tcp:10.0.0.2:80"]);
    await socket.close();
  });
});
