// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertGreaterOrEqual, assertInstanceOf, assertLess } from "@std/assert";
import { Cancelled, first, Switch, yieldNow } from "../../switch/mod.ts";
import { useTime } from "../../switch/_context.ts";
import { systemClock } from "../../switch/clock.ts";
import { openCounts } from "../../base/_counter.ts";
import { test } from "../_test.ts";
import { failure, rejectionOf } from "./_helpers.ts";

/** Calls `fn` with timers that fire only when the test says so, however early. */
async function withFakeTimers(fn: (timers: { ms: number; ring: () => void }[]) => Promise<void>): Promise<void> {
  const timers: { ms: number; ring: () => void }[] = [];
  useTime({
    now: () => performance.timeOrigin + performance.now(),
    startTimer(ms, ring) {
      timers.push({ ms, ring });
      return { stop() {}, restart() {}, unref() {} };
    },
    macrotask(turn) {
      const handle = setImmediate(turn);
      return () => clearImmediate(handle);
    },
  });
  try {
    await fn(timers);
  } finally {
    useTime(undefined);
  }
}

test("Clock.now() is the time since 1970 and never goes backwards", () => {
  let last = systemClock.now();
  assertLess(Math.abs(last - Date.now()), 60_000);
  for (let i = 0; i < 1000; i++) {
    const now = systemClock.now();
    assertGreaterOrEqual(now, last);
    last = now;
  }
});

test("Clock.sleep() waits at least as long as requested", async () => {
  for (const ms of [0.1, 1, 5.5]) {
    const start = systemClock.now();
    await systemClock.sleep(ms);
    assertGreaterOrEqual(systemClock.now() - start, ms);
  }
});

test("Clock.sleepUntil() waits for the time", async () => {
  const time = systemClock.now() + 3;
  await systemClock.sleepUntil(time);
  assertGreaterOrEqual(systemClock.now(), time);
});

test("Clock.sleep() wakes the shorter of two sleepers first", async () => {
  const log: number[] = [];
  await Switch.run((sw) => {
    for (const ms of [20, 2]) sw.fork(() => systemClock.sleep(ms).then(() => log.push(ms)));
  });
  assertEquals(log, [2, 20]);
});

test("Clock.sleep() of nothing, of a negative number and of NaN lets other work run, without a timer", async () => {
  for (const ms of [0, -1, -Infinity, NaN]) {
    const log: string[] = [];
    const sleeping = systemClock.sleep(ms).then(() => log.push("slept"));
    assertEquals(openCounts().timers, 0);
    await Promise.resolve().then(() => log.push("other"));
    await sleeping;
    assertEquals(log, ["other", "slept"]);
  }
});

test("Clock.sleepUntil() a time in the past lets other work run", async () => {
  assertEquals(await systemClock.sleepUntil(0), undefined);
});

test("Clock.sleep() is cancelled at once, and its timer is gone", async () => {
  for (const ms of [1000, 2 ** 31, 2 ** 40, Number.MAX_VALUE, Infinity]) {
    let seen: unknown;
    let timers: number[] = [];
    await rejectionOf(Switch.run(async (sw) => {
      sw.fork(async () => seen = await rejectionOf(systemClock.sleep(ms)));
      await yieldNow();
      await yieldNow();
      timers = [openCounts().timers];
      sw.fail(failure);
      timers.push(openCounts().timers);
    }));
    assertInstanceOf(seen, Cancelled);
    assertEquals(timers, [1, 0]);
  }
});

test("Clock.sleep() longer than a timer of the runtime does not ring early", async () => {
  for (const ms of [2 ** 31, 2 ** 32 + 1, Infinity]) {
    const winner = await first(() => systemClock.sleep(ms).then(() => "long"), () => systemClock.sleep(5));
    assertEquals(winner, undefined);
  }
});

test("Clock.sleep() waits for the rest where a timer rings early", async () => {
  const { now } = performance;
  await withFakeTimers(async (timers) => {
    let time = 0;
    performance.now = () => time;
    try {
      let awake = false;
      const sleeping = systemClock.sleep(2).then(() => awake = true);
      assertEquals(timers.length, 1);
      time = 1.5;
      timers[0].ring();
      await yieldNow();
      assertEquals([awake, timers.length, openCounts().timers], [false, 2, 1]);
      time = 2.5;
      timers[1].ring();
      await sleeping;
      assertEquals([timers.length, openCounts().timers], [2, 0]);
    } finally {
      performance.now = now;
    }
  });
});

test("Clock.sleep() sets no timer that a runtime cannot have", async () => {
  await withFakeTimers(async (timers) => {
    await rejectionOf(Switch.run((sw) => {
      for (const ms of [2 ** 31, Infinity]) sw.fork(() => systemClock.sleep(ms));
      sw.fail(failure);
    }));
    assertEquals(timers.map(({ ms }) => ms), [2 ** 31 - 1, 2 ** 31 - 1]);
  });
});

test("Clock.sleep() sets no negative timer when time passes meanwhile", async () => {
  const { now } = performance;
  await withFakeTimers(async (timers) => {
    let time = 0;
    performance.now = () => time += 2;
    const sleeping = systemClock.sleep(3);
    performance.now = now;
    timers[0].ring();
    await sleeping;
    assertEquals(timers.map(({ ms }) => ms), [3]);
  });
});

test("Clock.sleep() in a cancelled scope is refused without a timer", async () => {
  let seen: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    const sleeping = [systemClock.sleep(1000), systemClock.sleep(0), systemClock.sleepUntil(Infinity)];
    seen = [openCounts().timers, ...await Promise.all(sleeping.map(rejectionOf))];
  }));
  assertEquals(seen[0], 0);
  assert(seen.slice(1).every((error) => error instanceof Cancelled));
});

test("The real clock is frozen", () => {
  assert(Object.isFrozen(systemClock));
});
