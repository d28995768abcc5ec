// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  awaitCancel,
  Cancelled,
  type FiberListOptions,
  filterFibers,
  forEachFiber,
  mapFibers,
  Switch,
  yieldNow,
} from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { failure, failuresOf, rejectionOf, throwing } from "./_helpers.ts";

const listFunctions: ((
  items: Iterable<number>,
  fn: (item: number) => never,
  options?: FiberListOptions,
) => Promise<unknown>)[] = [mapFibers, filterFibers, forEachFiber];

test("mapFibers() returns the results in the order of the items", async () => {
  const results = await mapFibers([3, 1, 2], async (n) => {
    for (let i = 0; i < n; i++) await yieldNow();
    return n * 10;
  });
  assertEquals(results, [30, 10, 20]);
});

test("mapFibers() accepts any iterable, even an empty one", async () => {
  assertEquals(await mapFibers(new Set("ab"), (letter) => letter.toUpperCase()), ["A", "B"]);
  assertEquals(await mapFibers([], () => 1), []);
});

test("mapFibers() runs all at once by default", async () => {
  let running = 0;
  const most = await mapFibers([1, 2, 3, 4], async () => {
    running++;
    await yieldNow();
    return running;
  }, { maxFibers: undefined });
  assertEquals(most, [4, 4, 4, 4]);
});

test("mapFibers() runs at most maxFibers at once", async () => {
  let [running, most] = [0, 0];
  const results = await mapFibers([4, 1, 2, 3], async (n) => {
    most = Math.max(most, ++running);
    for (let i = 0; i < n; i++) await yieldNow();
    running--;
    return n;
  }, { maxFibers: 2 });
  assertEquals([most, results], [2, [4, 1, 2, 3]]);
});

test("mapFibers() starts no more items after a throw, at once or later", async () => {
  for (const later of [false, true]) {
    const started: number[] = [];
    const running = mapFibers([1, 2, 3], async (n) => {
      started.push(n);
      if (later) await yieldNow();
      throw failure;
    }, { maxFibers: 1 });
    assertStrictEquals(await rejectionOf(running), failure);
    assertEquals(started, [1]);
  }
});

test("mapFibers() starts no more items after a synchronous throw", async () => {
  const started: number[] = [];
  const running = mapFibers([1, 2, 3], (n) => {
    started.push(n);
    throw failure;
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertEquals(started, [1]);
});

test("mapFibers() cancels and awaits the others when one throws", async () => {
  const other = new Error("other");
  const running = mapFibers([1, 2], (n) => n === 1 ? throwing(other, awaitCancel) : Promise.reject(failure));
  assertEquals(await failuresOf(running), [failure, other]);
});

test("mapFibers() rejects with Cancelled when its caller is cancelled, and starts no more items", async () => {
  const started: number[] = [];
  let seen: unknown;
  await rejectionOf(Switch.run((sw) => {
    sw.fork(async () => {
      seen = await rejectionOf(mapFibers([1, 2], (n) => {
        started.push(n);
        return yieldNow();
      }, { maxFibers: 1 }));
    });
    sw.fail(failure);
  }));
  assertInstanceOf(seen, Cancelled);
  assertEquals(started, [1]);
});

test("mapFibers() starts nothing in a cancelled scope", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    log.push(await rejectionOf(mapFibers([1], (n) => log.push(n))) instanceof Cancelled);
  }));
  assertEquals(log, [true]);
});

test("mapFibers() rejects a bad maxFibers with RangeError and starts nothing", async () => {
  const log: number[] = [];
  const start = (n: number) => log.push(n);
  const bad: [value: unknown, text: string][] = [[0, "0"], [-1, "-1"], [1.5, "1.5"], [NaN, "NaN"], ["2", '"2"']];
  for (const [maxFibers, text] of bad) {
    for (const list of listFunctions) {
      const running = () => list([1], start as never, { maxFibers: maxFibers as number });
      const message = `Cannot run ${list.name} as maxFibers must be a whole number >= 1: current value is ${text}`;
      await assertRejects(running, RangeError, message);
    }
  }
  assertEquals(log, []);
});

test("mapFibers(), filterFibers() and forEachFiber() reject what is not a function with a TypeError that names them", async () => {
  for (const list of listFunctions) {
    await assertRejects(() => list([1], 1 as never), TypeError, `Cannot run ${list.name}: 1 is not a function`);
  }
});

test("mapFibers() rejects with what its iterable throws and starts nothing", async () => {
  const log: number[] = [];
  function* items() {
    yield 1;
    throw failure;
  }
  assertStrictEquals(await rejectionOf(mapFibers(items(), (n) => log.push(n))), failure);
  assertEquals(log, []);
});

test("filterFibers() keeps the items that pass, in their order", async () => {
  const kept = await filterFibers(new Set([3, 1, 2]), async (n) => {
    for (let i = 0; i < n; i++) await yieldNow();
    return n !== 1;
  });
  assertEquals(kept, [3, 2]);
});

test("forEachFiber() awaits the function's results and drops them", async () => {
  const log: number[] = [];
  const value = await forEachFiber([2, 1], async (n) => {
    for (let i = 0; i < n; i++) await yieldNow();
    log.push(n);
    return n;
  });
  assertEquals([value, log], [undefined, [1, 2]]);
});

test("forEachFiber() runs one after the other with one fiber", async () => {
  const log: number[] = [];
  await forEachFiber([2, 1], async (n) => {
    for (let i = 0; i < n; i++) await yieldNow();
    log.push(n);
  }, { maxFibers: 1 });
  assertEquals(log, [2, 1]);
});
