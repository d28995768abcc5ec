// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { Cancelled, type Permit, Semaphore, Switch, yieldNow } from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { rejectionOf } from "./_helpers.ts";

const failure = new Error("Cannot go on");

test("Semaphore hands out as many permits as there are", () => {
  const semaphore = new Semaphore(2);
  const permits = [semaphore.tryAcquire(), semaphore.tryAcquire(), semaphore.tryAcquire()];
  assertEquals([permits.map((permit) => permit !== null), semaphore.available], [[true, true, false], 0]);
});

test("Semaphore.acquire() takes a free permit", async () => {
  const semaphore = new Semaphore(1);
  const permit = await semaphore.acquire();
  assertEquals(semaphore.available, 0);
  permit.release();
  assertEquals(semaphore.available, 1);
});

test("Semaphore.acquire() serves those who wait first come, first served", async () => {
  const semaphore = new Semaphore(1);
  const log: number[] = [];
  await Switch.run((sw) => {
    for (const n of [1, 2, 3]) {
      sw.fork(async () => {
        using _permit = await semaphore.acquire();
        await yieldNow();
        log.push(n);
      });
    }
  });
  assertEquals([log, semaphore.available], [[1, 2, 3], 1]);
});

test("Semaphore.release() gives the place to who waits, so that nobody can slip in", async () => {
  const semaphore = new Semaphore(1);
  const permit = await semaphore.acquire();
  const waiting = semaphore.acquire();
  permit.release();
  assertEquals([semaphore.tryAcquire(), semaphore.available], [null, 0]);
  (await waiting).release();
  assertEquals(semaphore.available, 1);
});

test("Semaphore.release() called twice frees one place", () => {
  const semaphore = new Semaphore(2);
  const permits = [semaphore.tryAcquire(), semaphore.tryAcquire()] as Permit[];
  permits[0].release();
  permits[0].release();
  permits[0][Symbol.dispose]();
  assertEquals(semaphore.available, 1);
});

test("Semaphore.release() called twice wakes one of those who wait", async () => {
  const semaphore = new Semaphore(1);
  const permit = await semaphore.acquire();
  const [second, third] = [semaphore.acquire(), semaphore.acquire()];
  permit.release();
  permit.release();
  let thirdIsIn = false;
  third.then(() => thirdIsIn = true);
  const next = await second;
  await yieldNow();
  assertEquals(thirdIsIn, false);
  next.release();
  (await third).release();
});

test("Semaphore.acquire() leaves the queue when cancelled, and the place goes to the next", async () => {
  const semaphore = new Semaphore(1);
  const permit = await semaphore.acquire();
  let seen: unknown;
  const cancelled = rejectionOf(Switch.run(async (sw) => {
    sw.fork(async () => seen = await rejectionOf(semaphore.acquire()));
    await yieldNow();
    sw.fail(failure);
  }));
  const next = semaphore.acquire();
  await cancelled;
  assertInstanceOf(seen, Cancelled);
  permit.release();
  (await next).release();
  assertEquals(semaphore.available, 1);
});

test("Semaphore.acquire() gets a place that was given before the cancellation", async () => {
  const semaphore = new Semaphore(1);
  const permit = await semaphore.acquire();
  let got: Permit | undefined;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fork(async () => got = await semaphore.acquire());
    await yieldNow();
    permit.release();
    sw.fail(failure);
  }));
  assertEquals([got !== undefined, semaphore.available], [true, 0]);
});

test("Semaphore.acquire() gets no place that was given after the cancellation", async () => {
  const semaphore = new Semaphore(1);
  const permit = await semaphore.acquire();
  let seen: unknown;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fork(async () => seen = await rejectionOf(semaphore.acquire()));
    await yieldNow();
    sw.fail(failure);
    permit.release();
  }));
  assertInstanceOf(seen, Cancelled);
  assertEquals(semaphore.available, 1);
});

test("Semaphore.acquire() is refused in a cancelled scope, even where a place is free", async () => {
  const semaphore = new Semaphore(1);
  let seen: unknown;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    seen = await rejectionOf(semaphore.acquire());
  }));
  assertInstanceOf(seen, Cancelled);
  assertEquals(semaphore.available, 1);
});

test("Semaphore without permits lets nobody in", () => {
  const semaphore = new Semaphore(0);
  assertEquals([semaphore.tryAcquire(), semaphore.available], [null, 0]);
});

test("Semaphore rejects a bad number of permits with RangeError", () => {
  for (const permits of [-1, 1.5, NaN, Infinity, 2 ** 53, undefined as never]) {
    const message = `permits must be a whole number >= 0: current value is ${permits}`;
    assertThrows(() => new Semaphore(permits), RangeError, message);
  }
  assertThrows(() => new Semaphore("3" as never), RangeError, 'current value is "3"');
});
