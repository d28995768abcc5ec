// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  all,
  awaitCancel,
  BufReader,
  copy,
  first,
  interruptible,
  protect,
  Queue,
  retry,
  run,
  Switch,
  tcp,
  TimeoutError,
  withTimeout,
  yieldNow,
} from "../../../../mod.ts";
import {
  DeadlockError,
  memoryNet,
  mockClock,
  mockFlow,
  mockListener,
  mockNet,
  openCounts,
} from "../../../../net/testing/mod.ts";
import { toDuplex } from "../../../../flow/node/mod.ts";
import { test } from "../../../_test.ts";

/** Waits turns of the event loop that the library cannot see. */
async function foreignTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("mockClock({ autoAdvance }) moves to each sleep, in a switch and outside", async () => {
  const clock = mockClock({ autoAdvance: true });
  await clock.sleep(5);
  assertEquals(clock.now(), 5);
  await Switch.run(async (sw) => {
    const log: string[] = [];
    for (const ms of [30, 10, 20, 10]) sw.fork(() => clock.sleep(ms).then(() => log.push(`${ms} at ${clock.now()}`)));
    await clock.sleep(60);
    assertEquals(log, ["10 at 15", "10 at 15", "20 at 25", "30 at 35"]);
  });
  await clock.sleepUntil(1e12);
  assertEquals(clock.now(), 1e12);
  assertEquals(openCounts().operations, 0);
});

test("mockClock({ autoAdvance }) stands still while other code yields", async () => {
  const clock = mockClock({ autoAdvance: true });
  const seen: number[] = [];
  const sleeping = clock.sleep(100);
  for (let i = 0; i < 20; i++) await yieldNow();
  seen.push(clock.now());
  await Switch.run(async (sw) => {
    sw.fork(() => clock.sleep(1));
    for (let i = 0; i < 20; i++) await yieldNow();
    seen.push(clock.now());
  });
  await sleeping;
  assertEquals([seen, clock.now()], [[0, 0], 100]);
});

test("mockClock() without autoAdvance stands still", async () => {
  for (const options of [undefined, {}, { autoAdvance: undefined }, { autoAdvance: false }]) {
    const clock = mockClock(options);
    const sleeping = clock.sleep(1);
    await foreignTurns(10);
    assertEquals(clock.now(), 0);
    clock.advance();
    await sleeping;
  }
});

test("mockClock() refuses wrong options", () => {
  assertThrows(() => mockClock(1 as never), TypeError, "options must be an object");
  assertThrows(() => mockClock({ autoAdvance: 1 as never }), TypeError, "autoAdvance must be a boolean");
});

test("mockClock({ autoAdvance }) can be moved by hand too", async () => {
  const clock = mockClock({ autoAdvance: true });
  const sleeping = clock.sleep(10);
  clock.advance();
  await sleeping;
  clock.setTime(50);
  assertEquals(clock.now(), 50);
});

test("mockClock({ autoAdvance }) makes timeouts, retries and a server of a memory network take no time", async () => {
  const clock = mockClock({ autoAdvance: true });
  const net = memoryNet({ clock });
  await Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 80));
    sw.forkDaemon(async () => {
      const flow = await listener.accept(sw);
      await clock.sleep(60_000);
      await copy(flow, flow);
    });
    const flow = await net.connect(sw, listener.address);
    await flow.write(Uint8Array.of(1));
    const buffer = new Uint8Array(1);
    await assertRejects(() => withTimeout(clock, 59_999, () => flow.read(buffer)), TimeoutError);
    assertEquals(clock.now(), 59_999);
    assertEquals(await flow.read(buffer), 1);
    assertEquals(clock.now(), 60_000);
    let attempts = 0;
    await retry(clock, { delay: 1000, attempts: 3 }, () => {
      if (++attempts < 3) throw new Error("Cannot go on");
    });
    assertEquals(clock.now(), 63_000);
  });
});

test("mockClock({ autoAdvance }) names what waits if there is no timer", async () => {
  mockClock({ autoAdvance: true });
  const flow = mockFlow("client");
  flow.onRead({ await: new Promise(() => {}) });
  const error = await assertRejects(() =>
    Switch.run(async (sw) => {
      sw.forkDaemon(() => new Queue<string>(1).pop());
      sw.use(flow);
      await flow.read(new Uint8Array(1));
    }, { name: "the test" }), DeadlockError);
  assertEquals(error.message.split("\n")[0], "Cannot continue at 0 ms: everything waits, and no sleep is pending");
  assert(error.message.endsWith(error.dump));
  for (const text of ['switch "the test"', "waiting: read client", "waiting: pop", "resource:"]) {
    assert(error.dump.includes(text), error.dump);
  }
  assertEquals([error.name, error.time], ["DeadlockError", 0]);
  assertEquals(flow.log, ["client: closed"]);
});

test("mockClock({ autoAdvance }) names what waits after the last timer", async () => {
  const clock = mockClock({ autoAdvance: true });
  await foreignTurns(10);
  const stuck = Switch.run(async () => {
    await clock.sleep(1500);
    await foreignTurns(10);
    await interruptible(new Promise(() => {}));
  });
  const error = await assertRejects(() => stuck, DeadlockError, "waiting: interruptible");
  assertEquals(error.time, 1500);
});

test("mockClock({ autoAdvance }) names what waits on a mock listener, a mock network and forever", async () => {
  const clock = mockClock({ autoAdvance: true });
  const net = mockNet({ clock });
  const listener = mockListener("listener");
  listener.onAccept({ run: awaitCancel });
  net.onConnect({ await: new Promise(() => {}) });
  const stuck = Switch.run((sw) =>
    all([
      () => listener.accept(sw),
      () => net.connect(sw, tcp("10.0.0.1", 80)),
      () => clock.sleep(Infinity),
    ])
  );
  const { dump } = await assertRejects(() => stuck, DeadlockError);
  for (const name of ["accept listener", "connect tcp:10.0.0.1:80", "sleep until Infinity ms"]) {
    assert(dump.includes(`waiting: ${name}`), dump);
  }
});

test("mockClock({ autoAdvance }) fails the innermost switch around everything that waits", async () => {
  await Switch.run(async () => {
    const clock = mockClock({ autoAdvance: true });
    for (let i = 0; i < 2; i++) {
      await assertRejects(() => Switch.run(() => awaitCancel(), { name: "inner" }), DeadlockError, 'switch "inner"');
    }
    await clock.sleep(5);
    assertEquals(clock.now(), 5);
  });
});

test("mockClock({ autoAdvance }) fails each outermost switch that waits", async () => {
  mockClock({ autoAdvance: true });
  const stuck = [Switch.run(() => awaitCancel()), Switch.run(() => awaitCancel())];
  for (const outcome of await Promise.allSettled(stuck)) {
    assertInstanceOf((outcome as PromiseRejectedResult).reason, DeadlockError);
  }
});

test("mockClock({ autoAdvance }) fails an outermost call that is not a switch", async () => {
  for (const call of [() => all([awaitCancel, awaitCancel]), () => first(awaitCancel, awaitCancel)]) {
    mockClock({ autoAdvance: true });
    await assertRejects(call, DeadlockError, "waiting: awaitCancel");
  }
});

test("mockClock({ autoAdvance }) fails operations of mocks outside any switch", async () => {
  for (let i = 0; i < 2; i++) {
    mockClock({ autoAdvance: true });
    const flow = mockFlow("client");
    flow.onRead({ await: new Promise(() => {}) });
    const { dump } = await assertRejects(() => flow.read(new Uint8Array(1)), DeadlockError);
    assertEquals(dump, "outside any switch\n  waiting: read client");
    mockClock({ autoAdvance: true });
    await assertRejects(() => new BufReader(flow).line(), DeadlockError, "waiting: read client");
  }
  const clock = mockClock({ autoAdvance: true });
  await assertRejects(() => clock.sleep(Infinity), DeadlockError, "sleep until Infinity ms");
  assertEquals(openCounts().operations, 0);
});

test("mockClock({ autoAdvance }) does not look at later operations outside any switch", async () => {
  const clock = mockClock({ autoAdvance: true });
  await clock.sleep(7);
  const flow = mockFlow("flow");
  const late = Promise.withResolvers<string>();
  flow.onRead({ await: late.promise });
  const reading = flow.read(new Uint8Array(8));
  await foreignTurns(30);
  late.resolve("late");
  assertEquals(await reading, 4);
});

test("mockClock({ autoAdvance }) reports once what no cancellation ends", async () => {
  const clock = mockClock({ autoAdvance: true });
  const held = Promise.withResolvers<void>();
  const stuck = Switch.run(() => protect(() => interruptible(held.promise)));
  stuck.catch(() => {});
  await foreignTurns(30);
  held.resolve();
  await assertRejects(() => stuck, DeadlockError);
  assertEquals(clock.now(), 0);
});

test("mockClock({ autoAdvance }) does not look at other switches, or at any once its own have ended", async () => {
  const clock = mockClock({ autoAdvance: true });
  const before = await Switch.run(() => clock.sleep(1).then(() => "own"));
  const other = Promise.withResolvers<string>();
  const running = Switch.run(() => interruptible(other.promise));
  await foreignTurns(30);
  other.resolve("other");
  assertEquals([before, await running], ["own", "other"]);
});

test("mockClock({ autoAdvance }) looks at switches that began before it, once they use it", async () => {
  const made = Promise.withResolvers<ReturnType<typeof mockClock>>();
  const stuck = Switch.run(async () => {
    const clock = await interruptible(made.promise);
    await clock.sleep(10);
    await awaitCancel();
  });
  const refused = assertRejects(() => stuck, DeadlockError, "awaitCancel");
  made.resolve(mockClock({ autoAdvance: true }));
  await refused;
});

test("mockClock({ autoAdvance }) reports nothing while a timer of the real clock is armed", async () => {
  const clock = mockClock({ autoAdvance: true });
  await run(async (env) => {
    await clock.sleep(10);
    await env.clock.sleep(2);
    assertEquals(clock.now(), 10);
  });
});

test("mockClock({ autoAdvance }) does not hold the time for another such clock", async () => {
  const [a, b] = [mockClock({ autoAdvance: true }), mockClock({ autoAdvance: true })];
  await Switch.run((sw) => {
    sw.fork(() => a.sleep(10));
    sw.fork(async () => {
      for (let i = 0; i < 5; i++) await b.sleep(100);
    });
  });
  assertEquals([a.now(), b.now()], [10, 500]);
  assertStrictEquals(openCounts().operations, 0);
});

test("mockClock({ autoAdvance }) leaves code of others some turns before it moves", async () => {
  const clock = mockClock({ autoAdvance: true });
  const sleeping = clock.sleep(10);
  await foreignTurns(2);
  assertEquals(clock.now(), 0);
  await sleeping;
});

test("mockClock({ autoAdvance }) that was used outside any switch does not look at the next one", async () => {
  const clock = mockClock({ autoAdvance: true });
  await clock.sleep(1);
  const other = Promise.withResolvers<string>();
  const running = Switch.run(() => interruptible(other.promise));
  await foreignTurns(30);
  other.resolve("other");
  assertEquals(await running, "other");
});

test("mockClock({ autoAdvance }) reports a switch once, however often it waits again", async () => {
  mockClock({ autoAdvance: true });
  const held = [1, 2].map(() => Promise.withResolvers<void>());
  const stuck = Switch.run(() =>
    protect(async () => {
      for (const { promise } of held) await interruptible(promise);
    })
  );
  stuck.catch(() => {});
  for (const { resolve } of held) {
    await foreignTurns(30);
    resolve();
  }
  await assertRejects(() => stuck, DeadlockError);
});

test("mockClock({ autoAdvance }) does not report a stream that only listens for a cancellation", async () => {
  mockClock({ autoAdvance: true });
  const duplex = await Switch.run(async () => {
    const duplex = toDuplex(mockFlow("flow"));
    await foreignTurns(30);
    return duplex;
  });
  duplex.destroy();
});
