// Copyright 2026 the Sluice authors. MIT license.

/** Bad input, and inputs that are odd but legal. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { awaitCancel, first, interruptible, mapFibers, Semaphore, Switch, yieldNow } from "../../switch/mod.ts";
import { test } from "../_test.ts";

test("Switch.run() refuses a signal that is none, and leaves no scope behind", async () => {
  await Switch.run(async (sw) => {
    await assertRejects(() => Switch.run(() => 1, { signal: {} as AbortSignal }), TypeError, "AbortSignal");
    assertEquals(sw.dump(), "switch");
  });
});

test("interruptible() refuses what is no promise", async () => {
  await assertRejects(() => interruptible(5 as unknown as Promise<number>), TypeError, "not a promise");
});

test("mapFibers() refuses what cannot be iterated", async () => {
  await assertRejects(() => mapFibers({} as Iterable<number>, (n) => n), TypeError);
});

test("fork() waits for a native promise whose own then is of no use", async () => {
  await Switch.run((sw) => sw.fork(() => Object.assign(yieldNow(), { then: undefined })));
});

test("Switch and Semaphore cannot be changed by other code", () => {
  for (const frozen of [Switch, Switch.prototype, Semaphore, Semaphore.prototype]) assert(Object.isFrozen(frozen));
});

test("a loser of first() may annotate its cancellation, and nobody else sees it", async () => {
  const reasons: { note?: number }[] = [];
  const loser = async () => {
    try {
      await awaitCancel();
    } catch (error) {
      reasons.push(error as { note?: number });
      throw Object.assign(error as Error, { note: reasons.length });
    }
  };
  for (let i = 0; i < 2; i++) await first(loser, yieldNow);
  assertEquals(reasons.map(({ note }) => note), [1, 2]);
});
