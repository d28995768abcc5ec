// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { Cancelled, Condition, Switch, yieldNow } from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { rejectionOf } from "./_helpers.ts";

test("Condition.notify() wakes the call that has waited longest, and no other", async () => {
  const condition = new Condition();
  const log: number[] = [];
  await Switch.run(async (sw) => {
    for (const n of [1, 2, 3]) sw.fork(() => condition.wait().then(() => log.push(n)));
    condition.notify();
    await yieldNow();
    assertEquals(log, [1]);
    condition.notify();
    condition.notify();
  });
  assertEquals(log, [1, 2, 3]);
});

test("Condition.notifyAll() wakes what waits now, in order, and not what waits after it", async () => {
  const condition = new Condition();
  const log: string[] = [];
  await Switch.run(async (sw) => {
    for (const name of ["a", "b"]) {
      sw.fork(async () => {
        await condition.wait();
        log.push(name);
        await condition.wait();
        log.push(`${name} again`);
      });
    }
    condition.notifyAll();
    await yieldNow();
    assertEquals(log, ["a", "b"]);
    condition.notifyAll();
  });
  assertEquals(log, ["a", "b", "a again", "b again"]);
});

test("Condition.notify() is not remembered when nothing waits", async () => {
  const condition = new Condition();
  condition.notify();
  condition.notifyAll();
  let woken = false;
  await Switch.run(async (sw) => {
    sw.fork(() => condition.wait().then(() => woken = true));
    await yieldNow();
    assertEquals(woken, false);
    condition.notify();
  });
});

test("Condition.wait() that is cancelled passes its notification on", async () => {
  const condition = new Condition();
  let woken = false;
  await Switch.run(async (sw) => {
    const controller = new AbortController();
    const cancelled = rejectionOf(Switch.run(() => condition.wait(), { signal: controller.signal }));
    sw.fork(() => condition.wait().then(() => woken = true));
    controller.abort();
    condition.notify();
    assertInstanceOf(await cancelled, Cancelled);
  });
  assert(woken);
});

test("Condition.wait() that was notified before it was cancelled has succeeded", async () => {
  const condition = new Condition();
  let woken = false;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fork(() => condition.wait().then(() => woken = true));
    condition.notify();
    sw.fail(new Error("Cannot go on"));
    await yieldNow();
  }));
  assert(woken);
});

test("Condition.wait() is refused in a cancelled scope", async () => {
  const condition = new Condition();
  let refused: unknown;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(new Error("Cannot go on"));
    refused = await rejectionOf(condition.wait());
  }));
  assertInstanceOf(refused, Cancelled);
});

test("Condition cannot be changed by other code", () => {
  for (const frozen of [Condition, Condition.prototype]) assert(Object.isFrozen(frozen));
});
