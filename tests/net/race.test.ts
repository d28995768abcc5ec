// Copyright 2026 the Sluice authors. MIT license.

/** The race of RFC 8305, on a network whose resolver, system and time the test controls. */
import { assertEquals, assertFalse, assertInstanceOf, assertRejects } from "@std/assert";
import { Cancelled, first, hostAddress, IpAddress, type StreamSocket, Switch, tcp } from "../../mod.ts";
import type { ConnectOptions } from "../../mod.ts";
import { test } from "../_test.ts";
import { fakeNet, type FakeProvider, FakeStream } from "./_fake_provider.ts";
import { assertNetError, called, microtasks, refused, reset } from "./_helpers.ts";

const target = hostAddress("example.com", 80);

/** A race during the lookup of its name. */
interface Race {
  connecting: Promise<StreamSocket>;
  provider: FakeProvider;
  /** Answers the lookup with its only or last addresses. */
  answer(...ips: string[]): void;
  /** Answers the lookup with early addresses. */
  arrive(...ips: string[]): void;
  /** Waits until `count` attempts have started, and checks that there are no more. */
  attempts(count: number): Promise<string[]>;
}

async function withRace(fn: (race: Race, sw: Switch) => Promise<void>, options?: ConnectOptions): Promise<void> {
  const { net, provider, clock } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = net.connect(sw, target, options);
    connecting.catch(() => {});
    await called(() => provider.lookups.length === 1);
    const parse = (ips: string[]) => ips.map((ip) => IpAddress.parse(ip));
    await fn({
      connecting,
      provider,
      answer: (...ips) => provider.lookups[0].succeed(parse(ips)),
      arrive: (...ips) => provider.found(parse(ips)),
      async attempts(count) {
        await called(() => provider.connects.length >= count);
        await microtasks(200);
        return provider.targets.map((text) => text.replace(/^tcp:\[?|\]?:80$/g, ""));
      },
    }, sw);
  });
  assertFalse(clock.tryAdvance());
}

test("connect() to a host starts an attempt 250 ms after the one before it", async () => {
  await withRace(async ({ connecting, provider, answer, attempts }) => {
    answer("10.0.0.1", "10.0.0.2", "10.0.0.3");
    assertEquals(await attempts(1), ["10.0.0.1"]);
    provider.clock.setTime(249);
    assertEquals(await attempts(1), ["10.0.0.1"]);
    provider.clock.setTime(250);
    assertEquals(await attempts(2), ["10.0.0.1", "10.0.0.2"]);
    provider.clock.setTime(500);
    assertEquals((await attempts(3)).length, 3);
    provider.connects[2].succeed(new FakeStream());
    await connecting;
  });
});

test("connect() to a host starts the next attempt as soon as one fails, and then again after 250 ms", async () => {
  await withRace(async ({ connecting, provider, answer, attempts }) => {
    answer("10.0.0.1", "10.0.0.2", "10.0.0.3");
    await attempts(1);
    provider.clock.setTime(100);
    provider.connects[0].fail(refused);
    assertEquals(await attempts(2), ["10.0.0.1", "10.0.0.2"]);
    provider.clock.setTime(349);
    assertEquals((await attempts(2)).length, 2);
    provider.clock.setTime(350);
    assertEquals((await attempts(3)).length, 3);
    provider.connects[1].succeed(new FakeStream());
    await connecting;
  });
});

test("connect() to a host starts the next attempt when an older one fails", async () => {
  await withRace(async ({ connecting, provider, answer, attempts }) => {
    answer("10.0.0.1", "10.0.0.2", "10.0.0.3");
    await attempts(1);
    provider.clock.setTime(250);
    await attempts(2);
    provider.connects[0].fail(refused);
    await attempts(3);
    provider.connects[1].succeed(new FakeStream());
    await connecting;
  });
});

test("connect() to a host alternates between the families, beginning with the resolver's first", async () => {
  for (
    const [ips, expected] of [
      [["10.0.0.1", "10.0.0.2", "::1", "::2", "::3"], ["10.0.0.1", "::1", "10.0.0.2", "::2", "::3"]],
      [["::1", "::2", "10.0.0.1", "10.0.0.2"], ["::1", "10.0.0.1", "::2", "10.0.0.2"]],
    ]
  ) {
    await withRace(async ({ connecting, provider, answer, attempts }) => {
      answer(...ips);
      for (let i = 0; i < ips.length; i++) {
        await attempts(i + 1);
        provider.connects[i].fail(refused);
      }
      await assertNetError(() => connecting, "connection_refused");
      assertEquals(await attempts(ips.length), expected);
    });
  }
});

test("connect() to a host tries an address once, however often the resolver returns it", async () => {
  await withRace(async ({ connecting, provider, answer, arrive, attempts }) => {
    arrive("::1", "::1");
    answer("::1", "10.0.0.1", "10.0.0.1");
    await attempts(1);
    provider.connects[0].fail(refused);
    assertEquals(await attempts(2), ["::1", "10.0.0.1"]);
    provider.connects[1].fail(refused);
    await assertNetError(() => connecting, "connection_refused");
  });
});

test("connect() to a host cancels the losers in the turn in which it has a winner, and none before", async () => {
  await withRace(async ({ connecting, provider, answer, attempts }) => {
    answer("10.0.0.1", "10.0.0.2", "10.0.0.3");
    await attempts(1);
    provider.clock.setTime(250);
    await attempts(2);
    assertEquals(provider.connects.map(({ cancels }) => cancels), [0, 0]);
    const stream = new FakeStream();
    provider.connects[1].succeed(stream);
    await connecting;
    assertEquals([stream.state, provider.connects.map(({ cancels }) => cancels)], ["open", [1, 0]]);
    assertEquals((await attempts(2)).length, 2);
  });
});

test("connect() to a host aborts a loser that connects in the same turn as the winner, or later", async () => {
  await withRace(async ({ connecting, provider, answer, attempts }) => {
    answer("10.0.0.1", "10.0.0.2", "10.0.0.3");
    await attempts(1);
    provider.clock.setTime(250);
    await attempts(2);
    provider.clock.setTime(500);
    await attempts(3);
    const streams = provider.connects.map(() => new FakeStream());
    provider.connects[0].succeed(streams[0]);
    provider.connects[1].succeed(streams[1]);
    await connecting;
    provider.connects[2].succeed(streams[2]);
    await microtasks();
    assertEquals(streams.map(({ state }) => state), ["open", "aborted", "aborted"]);
  });
});

test("connect() to a host abandons every attempt and the lookup when it is cancelled", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const meanwhile = async () => {
      await called(() => provider.lookups.length === 1);
      provider.found([IpAddress.parse("::1"), IpAddress.parse("10.0.0.1")]);
      await called(() => provider.connects.length === 1);
      await microtasks();
      provider.clock.setTime(250);
      await called(() => provider.connects.length === 2);
    };
    await first(() => net.connect(sw, target), meanwhile);
    assertEquals([...provider.lookups, ...provider.connects].map(({ cancels }) => cancels), [1, 1, 1]);
    const late = new FakeStream();
    provider.connects[0].succeed(late);
    provider.connects[1].fail(refused);
    await microtasks();
    assertEquals(late.state, "aborted");
  });
});

test("connect() to a host abandons every attempt when its time is over", async () => {
  await withRace(async ({ connecting, provider, answer, attempts }) => {
    answer("10.0.0.1", "10.0.0.2", "10.0.0.3");
    await attempts(1);
    provider.clock.setTime(250);
    await attempts(2);
    provider.clock.setTime(400);
    await assertNetError(() => connecting, "connection_timeout");
    assertEquals(provider.connects.map(({ cancels }) => cancels), [1, 1]);
  }, { timeout: 400 });
});

test("connect() to a host is Cancelled, with every attempt given up, when its switch fails", async () => {
  const { net, provider } = fakeNet();
  let connecting: Promise<unknown> | undefined;
  const failing = Switch.run(async (sw) => {
    connecting = net.connect(sw, target);
    connecting.catch(() => {});
    await called(() => provider.lookups.length === 1);
    provider.lookups[0].succeed([IpAddress.parse("10.0.0.1")]);
    await called(() => provider.connects.length === 1);
    throw new Error("Cannot go on");
  });
  await assertRejects(() => failing, Error, "Cannot go on");
  await assertRejects(() => connecting!, Cancelled);
  assertEquals(provider.connects[0].cancels, 1);
});

test("connect() to a host lists the failures in the order of the attempts, whichever came first", async () => {
  await withRace(async ({ connecting, provider, answer, attempts }) => {
    answer("10.0.0.1", "10.0.0.2");
    await attempts(1);
    provider.clock.setTime(250);
    await attempts(2);
    provider.connects[1].fail(refused);
    await microtasks();
    provider.connects[0].fail(reset);
    const { cause } = await assertNetError(() => connecting, "connection_refused");
    assertInstanceOf(cause, AggregateError);
    assertEquals(cause.errors.map((error) => error.message), [
      "Cannot connect to tcp:10.0.0.1:80: connection reset",
      "Cannot connect to tcp:10.0.0.2:80: connection refused",
    ]);
    assertEquals(cause.message, "All 2 addresses failed");
  });
});

test("connect() to a host starts with early answers, and continues with late ones", async () => {
  await withRace(async ({ connecting, provider, answer, arrive, attempts }) => {
    arrive("::1");
    assertEquals(await attempts(1), ["::1"]);
    provider.connects[0].fail(refused);
    await microtasks();
    answer("::1", "10.0.0.1");
    assertEquals(await attempts(2), ["::1", "10.0.0.1"]);
    provider.connects[1].succeed(new FakeStream());
    await connecting;
  });
});

test("connect() to a host lets early IPv4 answers wait 50 ms for the IPv6 ones", async () => {
  await withRace(async ({ connecting, provider, arrive, attempts }) => {
    arrive("10.0.0.1");
    provider.clock.setTime(0);
    assertEquals(await attempts(0), []);
    provider.clock.setTime(49);
    assertEquals(await attempts(0), []);
    provider.clock.setTime(50);
    assertEquals(await attempts(1), ["10.0.0.1"]);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
    assertEquals(provider.lookups[0].cancels, 1);
  });
});

test("connect() to a host waits for IPv6 only until it arrives or cannot arrive", async () => {
  for (const late of [["::1"], []]) {
    await withRace(async ({ connecting, provider, answer, arrive, attempts }) => {
      arrive("10.0.0.1");
      assertEquals(await attempts(0), []);
      answer(...late, "10.0.0.1");
      assertEquals(await attempts(1), ["10.0.0.1"]);
      provider.connects[0].succeed(new FakeStream());
      await connecting;
    });
  }
});

test("connect() to a host fails if the early answers failed and no other arrives", async () => {
  await withRace(async ({ connecting, provider, answer, arrive, attempts }) => {
    arrive("::1");
    await attempts(1);
    provider.connects[0].fail(refused);
    await microtasks();
    answer("::1");
    await assertNetError(() => connecting, "connection_refused");
  });
});

test("connect() to a host with 1000 addresses runs at most 16 attempts at once", async () => {
  await withRace(async ({ connecting, provider, answer, attempts }) => {
    answer(...Array.from({ length: 1000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`));
    for (let i = 1; i <= 16; i++) {
      await attempts(i);
      provider.clock.setTime(i * 250);
    }
    provider.clock.setTime(60_000);
    assertEquals((await attempts(16)).length, 16);
    provider.connects[3].fail(refused);
    assertEquals((await attempts(17)).length, 17);
    provider.connects[16].succeed(new FakeStream());
    await connecting;
    assertEquals(provider.connects.filter(({ cancels }) => cancels === 0).length, 1);
  });
});

test("connect() to a host tries only the addresses that bindTo can reach", async () => {
  await withRace(async ({ connecting, provider, answer, attempts }) => {
    answer("::1", "10.0.0.1");
    assertEquals(await attempts(1), ["10.0.0.1"]);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
  }, { bindTo: tcp("10.0.0.9", 0) });
});

test("connect() to a host of which bindTo reaches no address is address_lookup_failed", async () => {
  await withRace(async ({ connecting, answer }) => {
    answer("::1");
    const { lookupCode } = await assertNetError(() => connecting, "address_lookup_failed");
    assertEquals(lookupCode, "ADDRFAMILY");
  }, { bindTo: tcp("10.0.0.9", 0) });
});

test("connect() to a literal as a host asks no resolver", async () => {
  const { net, provider } = fakeNet();
  await Switch.run(async (sw) => {
    const connecting = net.connect(sw, hostAddress("10.0.0.1", 80));
    await called(() => provider.connects.length === 1);
    provider.connects[0].succeed(new FakeStream());
    await connecting;
    assertEquals(provider.calls, ["connect"]);
  });
});

test("connect() to a host throws other errors than a NetError at once, and leaves nothing open", async () => {
  const { net, provider } = fakeNet();
  const late = new FakeStream();
  const { promise: owner, resolve: own } = Promise.withResolvers<Switch>();
  const connecting = owner.then((sw) => assertRejects(() => net.connect(sw, target), TypeError, "finished"));
  await Switch.run(async (sw) => {
    own(sw);
    await called(() => provider.lookups.length === 1);
    provider.lookups[0].succeed([IpAddress.parse("10.0.0.1")]);
    await called(() => provider.connects.length === 1);
  });
  await connecting;
  provider.connects[0].succeed(late);
  await microtasks();
  assertEquals(late.state, "aborted");
});
