// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Cancelled, type Permit, Semaphore, Switch, yieldNow } from "../../switch/mod.ts";
import { turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { failure, rejectionOf } from "./_helpers.ts";

test("Semaphore hands out no more than its permits", () => {
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

test("Semaphore.acquire() is served in FIFO order", async () => {
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

test("Semaphore.release() passes the permit to the first waiter, so that no other call can take it", async () => {
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

test("Semaphore.release() called twice wakes one waiter", async () => {
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

test("Semaphore without permits blocks every acquire()", () => {
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

test("Semaphore.resize() wakes the calls that wait, in order, when it grows", async () => {
  const semaphore = new Semaphore(0);
  const log: number[] = [];
  await Switch.run((sw) => {
    for (const n of [1, 2, 3]) sw.fork(() => semaphore.acquire().then(() => log.push(n)));
    semaphore.resize(2);
    sw.fork(async () => {
      await yieldNow();
      assertEquals([log, semaphore.permits, semaphore.available], [[1, 2], 2, 0]);
      semaphore.resize(4);
    });
  });
  assertEquals([log, semaphore.permits, semaphore.available], [[1, 2, 3], 4, 1]);
});

test("Semaphore.resize() revokes no permit when it shrinks, and frees none until enough are released", async () => {
  const semaphore = new Semaphore(3);
  const permits = [await semaphore.acquire(), await semaphore.acquire(), await semaphore.acquire()];
  semaphore.resize(1);
  const available = [semaphore.available];
  for (const permit of permits) {
    permit.release();
    available.push(semaphore.available);
  }
  assertEquals(available, [0, 0, 0, 1]);
  assertEquals([semaphore.tryAcquire() === null, semaphore.tryAcquire()], [false, null]);
});

test("Semaphore.resize() rejects a bad number of permits with RangeError and changes nothing", () => {
  const semaphore = new Semaphore(2);
  for (const permits of [-1, 1.5, NaN, Infinity, "3" as never]) {
    assertThrows(() => semaphore.resize(permits), RangeError, "permits must be a whole number >= 0");
  }
  assertEquals([semaphore.permits, semaphore.available], [2, 2]);
});

test("Semaphore keeps its count through any acquiring, releasing, cancelling and resizing", async () => {
  const step = fc.oneof(
    fc.constantFrom("acquire" as const, "try" as const, "release" as const, "cancel" as const),
    fc.nat(4),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(3), fc.array(step, { maxLength: 40 }), async (permits, steps) => {
      const semaphore = new Semaphore(permits);
      const held: Permit[] = [];
      const waiting: { cancel(): void; done: boolean }[] = [];
      let model = { permits, held: 0, waiting: 0 };
      for (const step of steps) {
        if (step === "acquire") {
          const controller = new AbortController();
          const entry = { cancel: () => controller.abort(), done: false };
          waiting.push(entry);
          Switch.run(() => semaphore.acquire(), { signal: controller.signal }).then((permit) => {
            held.push(permit);
          }, () => {}).then(() => entry.done = true);
          model.waiting++;
        } else if (step === "try") {
          const permit = semaphore.tryAcquire();
          assertEquals(permit !== null, model.held < model.permits);
          if (permit !== null) {
            held.push(permit);
            model.held++;
          }
        } else if (step === "release") {
          if (held.length > 0) model.held--;
          held.pop()?.release();
        } else if (step === "cancel") {
          const entry = waiting.find(({ done }) => !done);
          if (entry !== undefined) model.waiting--;
          entry?.cancel();
        } else {
          semaphore.resize(step);
          model = { ...model, permits: step };
        }
        while (model.waiting > 0 && model.held < model.permits) {
          model.waiting--;
          model.held++;
        }
        await turn();
        assertEquals(held.length, model.held);
        assertEquals(semaphore.available, Math.max(0, model.permits - model.held));
        assertEquals(waiting.filter(({ done }) => !done).length, model.waiting);
      }
      for (const { cancel } of waiting) cancel();
      await turn();
    }),
    { numRuns: 60 },
  );
});
