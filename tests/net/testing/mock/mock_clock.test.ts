// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { Cancelled, first, Switch, yieldNow } from "../../../../switch/mod.ts";
import { type MockClock, mockClock, openCounts } from "../../../../net/testing/mod.ts";
import { test } from "../../../_test.ts";

const failure = new Error("Cannot go on");

/**
 * Starts a fiber that sleeps for each of `times`, and returns the names of those that woke, such as
 * "5", or "5b" for a second one.
 */
function startSleepers(sw: Switch, clock: MockClock, times: number[]): string[] {
  const awake: string[] = [];
  times.forEach((time, i) => {
    const name = `${time}${"bc"[times.slice(0, i).filter((other) => other === time).length - 1] ?? ""}`;
    sw.fork(async () => {
      await clock.sleepUntil(time);
      awake.push(name);
    });
  });
  return awake;
}

test("mockClock() stays at 0 until advanced", async () => {
  const clock = mockClock();
  assertEquals(clock.now(), 0);
  await yieldNow();
  assertEquals(clock.now(), 0);
  clock.setTime(5);
  assertEquals(clock.now(), 5);
});

test("MockClock.advance() moves to the next timer and wakes in time order, ties in order of registration", async () => {
  const clock = mockClock();
  await Switch.run(async (sw) => {
    const awake = startSleepers(sw, clock, [5, 7, 2, 0, 5]);
    await yieldNow();
    assertEquals(awake, ["0"]);
    const seen: unknown[] = [];
    while (clock.tryAdvance()) {
      await yieldNow();
      seen.push([clock.now(), awake.join()]);
    }
    assertEquals(seen, [[2, "0,2"], [5, "0,2,5,5b"], [7, "0,2,5,5b,7"]]);
  });
});

test("MockClock.advance() throws RangeError if there is no sleeper", () => {
  const clock = mockClock();
  assertThrows(() => clock.advance(), RangeError, "Cannot advance the clock: no sleep is pending");
  assertEquals([clock.tryAdvance(), clock.now()], [false, 0]);
});

test("MockClock.advance() throws RangeError when the only sleeper was cancelled, at once and later", async () => {
  const clock = mockClock();
  await Switch.run(async (sw) => {
    sw.fork(() => clock.sleep(5));
    sw.fail(failure);
    assertEquals(clock.tryAdvance(), false);
    await Switch.runProtected(yieldNow);
    assertThrows(() => clock.advance(), RangeError);
  }).catch((error) => assertEquals(error, failure));
  assertThrows(() => clock.advance(), RangeError);
  assertEquals(clock.now(), 0);
});

test("MockClock.advance() passes over the sleepers that were cancelled", async () => {
  const clock = mockClock();
  await first(() => clock.sleep(5), () => "winner");
  const sleeping = clock.sleep(7);
  clock.advance();
  await sleeping;
  assertEquals(clock.now(), 7);
});

test("MockClock.setTime() wakes all that are due, in time order", async () => {
  const clock = mockClock();
  await Switch.run(async (sw) => {
    const awake = startSleepers(sw, clock, [5, 7, 2, 5]);
    clock.setTime(6);
    await yieldNow();
    assertEquals([awake, clock.now()], [["2", "5", "5b"], 6]);
    clock.setTime(7);
  });
});

test("MockClock.setTime() may go backwards, and then wakes no sleeper", async () => {
  const clock = mockClock();
  clock.setTime(10);
  await Switch.run(async (sw) => {
    const awake = startSleepers(sw, clock, [15]);
    clock.setTime(3);
    await yieldNow();
    assertEquals([awake, clock.now()], [[], 3]);
    clock.advance();
    assertEquals(clock.now(), 15);
  });
});

test("MockClock.setTime() rejects anything but a finite number with RangeError", () => {
  const clock = mockClock();
  for (const time of [NaN, Infinity, -Infinity, "1" as never]) {
    assertThrows(() => clock.setTime(time), RangeError, "is not a finite number");
  }
  assertEquals(clock.now(), 0);
});

test("MockClock.sleep() counts from the present time", async () => {
  const clock = mockClock();
  clock.setTime(100);
  const sleeping = clock.sleep(5);
  clock.advance();
  await sleeping;
  assertEquals(clock.now(), 105);
});

test("MockClock.sleep() of nothing, of a negative number and of NaN lets other work run", async () => {
  const clock = mockClock();
  for (const ms of [0, -1, NaN]) {
    const log: string[] = [];
    const sleeping = clock.sleep(ms).then(() => log.push("slept"));
    assertEquals(clock.tryAdvance(), false);
    await Promise.resolve().then(() => log.push("other"));
    await sleeping;
    assertEquals(log, ["other", "slept"]);
  }
});

test("MockClock.sleepUntil() a time in the past lets other work run", async () => {
  const clock = mockClock();
  clock.setTime(10);
  await clock.sleepUntil(10);
  await clock.sleepUntil(3);
  assertEquals(clock.now(), 10);
});

test("MockClock.sleep() of Infinity is never due", async () => {
  const clock = mockClock();
  await first(() => clock.sleep(Infinity), async () => {
    await yieldNow();
    assertThrows(() => clock.advance(), RangeError);
    clock.setTime(Number.MAX_VALUE);
    await yieldNow();
  });
  assertEquals(clock.now(), Number.MAX_VALUE);
});

test("MockClock.sleep() is refused in a cancelled scope and leaves no timer", async () => {
  const clock = mockClock();
  let seen: unknown;
  await Switch.run(async (sw) => {
    sw.fail(failure);
    seen = await clock.sleep(5).catch((error) => error);
    clock.sleep(6); // no unhandled rejection
  }).catch((error) => assertEquals(error, failure));
  assertInstanceOf(seen, Cancelled);
  assertEquals(clock.tryAdvance(), false);
});

test("MockClock.sleep() that was due before the cancellation wins", async () => {
  const clock = mockClock();
  let seen: unknown;
  await Switch.run(async (sw) => {
    sw.fork(async () => seen = await clock.sleep(5).catch((error) => error));
    await yieldNow();
    clock.advance();
    sw.fail(failure);
  }).catch((error) => assertEquals(error, failure));
  assertEquals(seen, undefined);
});

test("MockClock.sleep() that outlives its fiber is cancelled with the switch and leaves no timer", async () => {
  const clock = mockClock();
  await Switch.run(async (sw) => {
    sw.fork(() => void clock.sleep(5));
    await yieldNow();
    sw.fail(failure);
    await Switch.runProtected(yieldNow);
    assertEquals(clock.tryAdvance(), false);
  }).catch((error) => assertEquals(error, failure));
});

test("MockClock lets a sleeper sleep again in the turn in which it woke", async () => {
  const clock = mockClock();
  const log: number[] = [];
  await Switch.run(async (sw) => {
    sw.fork(async () => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(10);
        log.push(clock.now());
      }
    });
    for (let i = 0; i < 3; i++) {
      clock.advance();
      await yieldNow();
    }
  });
  assertEquals(log, [10, 20, 30]);
});

test("mockClock() makes frozen clocks that are apart from each other", () => {
  const [a, b] = [mockClock(), mockClock()];
  a.setTime(5);
  assert(Object.isFrozen(a));
  assertEquals([a.now(), b.now()], [5, 0]);
});

test("openCounts() returns a copy of the counts", async () => {
  await Switch.run((sw) => {
    sw.forkDaemon(yieldNow);
    const counts = openCounts();
    counts.fibers = 99;
    assertEquals([openCounts().fibers, openCounts().operations], [1, 1]);
  });
});
