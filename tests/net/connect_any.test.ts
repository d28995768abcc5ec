// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import {
  awaitCancel,
  connectAny,
  first,
  NetError,
  type StreamSocket,
  Switch,
  tcp,
  type TcpAddress,
  udp,
  unix,
  yieldNow,
} from "../../mod.ts";
import { type Action, mockClock, mockFlow, mockNet, simulate } from "../../net/testing/mod.ts";
import { test } from "../_test.ts";
import { anyPort, assertNetError, finishedSwitch, ownHost, ownPort, signal, withNet } from "./_helpers.ts";

const addresses = [tcp("10.0.0.1", 80), tcp("::1", 81)];
const refused: Action<StreamSocket> = { throw: new NetError("connection_refused", { operation: "connect" }) };

test("connectAny() races literals and looks nothing up", async () => {
  const clock = mockClock({ autoAdvance: true });
  const net = mockNet({ clock });
  const { log } = net;
  const loser = Promise.withResolvers<StreamSocket>();
  net.onConnect({ await: loser.promise }, { return: mockFlow("winner", { log }) });
  await Switch.run(async (sw) => {
    await connectAny(net, sw, addresses);
    assertEquals(clock.now(), 250);
    loser.resolve(mockFlow("loser", { log }));
    await yieldNow();
    assertEquals(log, ["net: connect to tcp:10.0.0.1:80", "net: connect to tcp:[::1]:81", "loser: closed"]);
  });
});

test("connectAny() reports every failure", async () => {
  const net = mockNet();
  net.onConnect(refused, refused);
  await Switch.run(async (sw) => {
    const { cause, message } = await assertNetError(() => connectAny(net, sw, addresses), "connection_refused");
    assertInstanceOf(cause, AggregateError);
    assertEquals([cause.errors.length, message], [2, "Cannot connect to any of 2 addresses: connection refused"]);
  });
});

test("connectAny() of one address says that it failed", async () => {
  const net = mockNet();
  net.onConnect(refused);
  await Switch.run(async (sw) => {
    const { cause } = await assertNetError(() => connectAny(net, sw, [addresses[0]]), "connection_refused");
    assertInstanceOf(cause, AggregateError);
    assertEquals([cause.errors.length, cause.message], [1, "The only address failed"]);
  });
});

test("connectAny() has one timeout for all attempts", async () => {
  const clock = mockClock({ autoAdvance: true });
  const net = mockNet({ clock });
  const late = Promise.withResolvers<StreamSocket>();
  net.onConnect({ await: late.promise }, { await: late.promise });
  const flow = mockFlow("late");
  await Switch.run(async (sw) => {
    await assertNetError(() => connectAny(net, sw, addresses, { timeout: 300 }), "connection_timeout");
    assertEquals([clock.now(), net.log.length], [300, 2]);
    late.resolve(flow);
    await yieldNow();
    assertEquals(flow.log, ["late: closed"]);
  });
});

test("connectAny() tries only the addresses that bindTo can reach", async () => {
  const net = mockNet();
  net.onConnect({ return: mockFlow("flow") });
  await Switch.run((sw) => connectAny(net, sw, addresses, { bindTo: tcp("::2", 0) }));
  assertEquals(net.log, ["net: connect to tcp:[::1]:81 from tcp:[::2]:0"]);
});

test("connectAny() refuses what it cannot race before any system call", async () => {
  const net = mockNet();
  const finished = await finishedSwitch();
  await Switch.run(async (sw) => {
    await assertRejects(() => connectAny(net, sw, []), RangeError, "empty");
    for (const none of [null, undefined, 5, {}, Object.create(null)]) {
      await assertRejects(
        () => connectAny(net, sw, none),
        TypeError,
        "as addresses must be a list or an AsyncIterable: current value is",
      );
    }
    await assertRejects(() => connectAny(net, sw, [udp("::1", 80) as unknown as TcpAddress]), TypeError);
    await assertRejects(() => connectAny(net, sw, [unix("/x") as unknown as TcpAddress]), TypeError, "TCP");
    await assertRejects(() => connectAny(net, sw, [addresses[0], tcp("::1", 0)]), RangeError, "port 0");
    await assertRejects(() => connectAny(net, sw, addresses, { timeout: -1 }), RangeError, "timeout");
    await assertRejects(() => connectAny(net, sw, addresses, { bindTo: unix("/x") }), TypeError);
    await assertRejects(() => connectAny(net, finished, addresses), TypeError, "finished");
  });
  assertEquals(net.log, []);
});

test("connectAny() abandons every attempt as soon as it is cancelled", async () => {
  const net = mockNet();
  const late = Promise.withResolvers<StreamSocket>();
  const flow = mockFlow("late");
  net.onConnect({ await: late.promise });
  await Switch.run(async (sw) => {
    await first(() => connectAny(net, sw, addresses), yieldNow);
    late.resolve(flow);
    await yieldNow();
    assertEquals([net.log.length, flow.log], [1, ["late: closed"]]);
  });
});

test("connectAny() throws one error if its owner ends while several attempts wait", async () => {
  await simulate({}, async (sim) => {
    const client = sim.host("client");
    const silent = [sim.host("a"), sim.host("b")];
    for (const host of silent) sim.partition(client, host);
    await Switch.run(async (caller) => {
      const race = await Switch.run(async (owner) => {
        const race = caller.fork(() =>
          assertRejects(
            () => connectAny(client.net, owner, silent.map(({ ip }) => tcp(ip, 80))),
            TypeError,
            "Cannot connect: the switch is finished",
          )
        );
        await sim.run(300); // both attempts have begun
        return { race };
      });
      await race.race;
    });
  });
});

test("connectAny() has ended its attempts when its owner has ended, which cancels them", async () => {
  await Switch.run(async (outer) => {
    const log: string[] = [];
    const started = signal();
    const connect = async () => {
      started.resolve();
      try {
        return await awaitCancel();
      } finally {
        for (let i = 0; i < 5; i++) await Promise.resolve();
        log.push("cleaned up");
      }
    };
    const net = { ...mockNet(), clock: mockClock(), connect };
    let connecting: Promise<unknown> = Promise.resolve();
    await Switch.run(async (sw) => {
      connecting = outer.forkPromise(() => connectAny(net, sw, [addresses[0]]));
      await started.promise;
    });
    assertEquals(log, ["cleaned up"]);
    await assertRejects(() => connecting, TypeError, "Cannot connect: the switch is finished");
  });
});

test("connectAny() throws connection_timeout if an attempt fails in the turn in which the time is over", async () => {
  await simulate({}, async (sim) => {
    const client = sim.host("client");
    sim.pause(client, 100); // the client learns of both at once
    await Switch.run(async (sw) => {
      const unreachable = [tcp("10.9.9.9", 80)];
      await assertNetError(() => connectAny(client.net, sw, unreachable, { timeout: 1 }), "connection_timeout");
      sim.pause(client, 100);
      await assertNetError(() => client.net.connect(sw, unreachable[0], { timeout: 1 }), "connection_timeout");
    });
  });
});

test("connectAny() reaches the one open listener, over the system's network", async () => {
  await withNet(async (sw, net) => {
    const up = await net.listen(sw, anyPort);
    const down = tcp(ownHost, ownPort());
    const flow = await connectAny(net, sw, [down, up.address]);
    assertEquals(flow.peer, up.address);
    const gone = await assertNetError(() => connectAny(net, sw, [down, down]), "connection_refused");
    assert(gone.cause instanceof AggregateError && gone.cause.errors.length === 1);
  });
});
