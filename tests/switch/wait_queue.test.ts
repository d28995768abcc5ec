// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertRejects } from "@std/assert";
import { WaitQueue } from "../../switch/_waiter.ts";
import { Cancelled, first, Switch, yieldNow } from "../../switch/mod.ts";
import { test } from "../_test.ts";

test("WaitQueue.wakeOne() wakes in the order of waiting, and passes over what was cancelled", async () => {
  const left: string[] = [];
  const queue = new WaitQueue<string, string>((payload) => left.push(payload));
  const woken = [queue.wait("wait", "a")];
  await first(() => queue.wait("wait", "b"), yieldNow);
  woken.push(queue.wait("wait", "c"));
  assertEquals([queue.wakeOne("1")?.payload, queue.wakeOne("2")?.payload, queue.wakeOne("3")], ["a", "c", undefined]);
  assertEquals([await Promise.all(woken), left, queue.empty], [["1", "2"], ["b"], true]);
});

test("WaitQueue.fail() fails one operation, and WaitQueue.failAll() the others", async () => {
  const left: string[] = [];
  const queue = new WaitQueue<void, string>((payload) => left.push(payload));
  const [a, b, c] = ["a", "b", "c"].map((payload) => queue.add("wait", payload));
  queue.fail(b, () => new Error("Closed b"));
  queue.fail(b, () => new Error("Closed again"));
  assertEquals([left, queue.oldest?.payload], [["b"], "a"]);
  queue.failAll(() => new Error("Closed"));
  await assertRejects(() => b.promise, Error, "Closed b");
  for (const { promise } of [a, c]) await assertRejects(() => promise, Error, "Closed");
  assertEquals([left, queue.empty], [["b", "a", "c"], true]);
});

test("WaitQueue.wakeIf() wakes the operations whose payload passes, and leaves the others", async () => {
  const queue = new WaitQueue<string, number>();
  const woken: number[] = [];
  for (const size of [1, 5, 2, 3]) queue.wait("wait", size).then(() => woken.push(size));
  queue.wakeIf((size) => size < 3, "woken");
  await yieldNow();
  assertEquals([woken, queue.oldest?.payload], [[1, 2], 5]);
  queue.wakeIf(() => true, "woken");
  await yieldNow();
  assertEquals([woken, queue.empty], [[1, 2, 5, 3], true]);
});

test("WaitQueue.failAll() causes no unhandled rejection where nothing awaits", async () => {
  const queue = new WaitQueue<void>();
  queue.wait("wait", undefined);
  queue.failAll(() => new Error("Closed"));
  await yieldNow();
});

test("WaitQueue.remove() removes an operation, which cancelling no longer settles", async () => {
  const queue = new WaitQueue<string>();
  const outcome = Switch.run(async (sw) => {
    const waiter = queue.add("wait", undefined);
    assertEquals([queue.remove(waiter), queue.remove(waiter), queue.empty], [true, false, true]);
    sw.fail(new Error("Cannot go on"));
    assertEquals(waiter.settled, false);
    waiter.resolve("given");
    assertEquals(await waiter.promise, "given");
    await assertRejects(() => yieldNow(), Cancelled);
  });
  await assertRejects(() => outcome, Error, "Cannot go on");
});

test("WaitQueue.moveTo() moves an operation, which cancelling no longer settles", async () => {
  const [from, to] = [new WaitQueue<string, string>(), new WaitQueue<string, string>()];
  const outcome = Switch.run(async (sw) => {
    const waiter = from.add("wait", "moved");
    from.moveTo(to, waiter);
    from.moveTo(to, waiter);
    assertEquals([from.empty, to.oldest?.payload, from.remove(waiter)], [true, "moved", false]);
    sw.fail(new Error("Cannot go on"));
    assertEquals([waiter.settled, to.wakeOne("woken")?.payload, to.empty], [false, "moved", true]);
    assertEquals(await waiter.promise, "woken");
    await assertRejects(() => yieldNow(), Cancelled);
  });
  await assertRejects(() => outcome, Error, "Cannot go on");
});
