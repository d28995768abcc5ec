// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { Cancelled, first, interruptible, Switch, yieldNow } from "../../switch/mod.ts";
import { collectGarbage, turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { failure, rejectionOf } from "./_helpers.ts";

const never = new Promise<never>(() => {});

/** Waits for a promise in a fiber, applies `change` to both, and returns the fiber's result. */
async function race(change: (sw: Switch, cell: PromiseWithResolvers<string>) => void): Promise<unknown> {
  const cell = Promise.withResolvers<string>();
  let seen: unknown;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fork(async () => seen = await interruptible(cell.promise).catch((error) => error));
    await yieldNow();
    change(sw, cell);
  }));
  return seen;
}

test("interruptible() settles as the promise does", async () => {
  assertEquals(await interruptible(Promise.resolve(1)), 1);
  assertStrictEquals(await rejectionOf(interruptible(Promise.reject(failure))), failure);
  const promise = yieldNow().then(() => 2);
  assertEquals(await interruptible(promise), 2);
  assertEquals(await interruptible(promise), 2);
});

test("interruptible() stops waiting when cancelled, while the promise continues", async () => {
  let ended = false;
  const work = turn().then(() => ended = true);
  const value = await first(() => interruptible(work), () => "on time");
  assertEquals([value, ended], ["on time", false]);
  assertEquals(await interruptible(work), true);
});

test("interruptible() lets a promise win that was settled before the cancellation", async () => {
  const seen = await race((sw, cell) => {
    cell.resolve("value");
    sw.fail(failure);
  });
  assertEquals(seen, "value");
});

test("interruptible() lets a rejection win that came before the cancellation", async () => {
  const other = new Error("other");
  const seen = await race((sw, cell) => {
    cell.reject(other);
    sw.fail(failure);
  });
  assertStrictEquals(seen, other);
});

test("interruptible() lets a cancellation win that came before the promise settled", async () => {
  const seen = await race((sw, cell) => {
    sw.fail(failure);
    cell.resolve("value");
  });
  assertInstanceOf(seen, Cancelled);
});

test("interruptible() lets a promise win that was settled when the waiting began", async () => {
  let seen: unknown;
  await rejectionOf(Switch.run((sw) => {
    sw.fork(async () => seen = await interruptible(Promise.resolve("value")).catch((error) => error));
    sw.fail(failure);
  }));
  assertEquals(seen, "value");
});

test("interruptible() refuses even a settled promise in a cancelled scope", async () => {
  let seen: unknown;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    seen = await rejectionOf(interruptible(Promise.resolve("value")));
  }));
  assertInstanceOf(seen, Cancelled);
});

test("interruptible() marks a rejection as handled after its waiter was cancelled", async () => {
  const { promise, reject } = Promise.withResolvers<never>();
  await first(() => interruptible(promise), () => 1);
  reject(failure);
  await turn();
});

test("interruptible() counts a rejection as handled that it refused to wait for", async () => {
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    await rejectionOf(interruptible(Promise.reject(new Error("other"))));
  }));
  await turn();
});

test("interruptible() wakes all that wait on one promise", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const seen: number[] = [];
  await Switch.run(async (sw) => {
    for (let i = 0; i < 3; i++) sw.fork(async () => seen.push(i, await interruptible(promise)));
    await yieldNow();
    resolve(7);
  });
  assertEquals(seen, [0, 7, 1, 7, 2, 7]);
});

test("interruptible() hooks into a long-lived promise once, however often it is waited on", async () => {
  let hooked = 0;
  const promise = new Promise<unknown>(() => {});
  // A hook reads it three times: to resolve the promise, to follow it, and to create the promise of
  // the reaction.
  Object.defineProperty(promise, "constructor", { get: () => (hooked += 1 / 3, Promise) });
  await rejectionOf(Switch.run((sw) => {
    for (let i = 0; i < 100_000; i++) sw.fork(() => interruptible(promise));
    sw.fail(failure);
  }));
  for (let i = 0; i < 1_000; i++) await first(() => interruptible(promise), () => 1);
  assertEquals(hooked, 1);
});

test("interruptible() hooks once into a promise of a subclass too", async () => {
  let hooked = 0;
  class Custom<T> extends Promise<T> {
    override then<A = T, B = never>(
      onValue?: ((value: T) => A | PromiseLike<A>) | null,
      onError?: ((error: unknown) => B | PromiseLike<B>) | null,
    ): Promise<A | B> {
      hooked++;
      return super.then(onValue, onError);
    }
  }
  const promise = new Custom<never>(() => {});
  for (let i = 0; i < 10; i++) await first(() => interruptible(promise), yieldNow);
  assertEquals(hooked, 1);
});

test("interruptible() lets go of a wait that was cancelled, so that memory does not grow", async () => {
  const promise = new Promise<never>(() => {});
  const waits: WeakRef<object>[] = [];
  for (let i = 0; i < 1000; i++) {
    const waiting = () => {
      const wait = interruptible(promise);
      waits.push(new WeakRef(wait));
      return wait;
    };
    await first(waiting, () => 1);
  }
  const isMostlyGone = () => waits.filter((wait) => wait.deref() === undefined).length > waits.length / 2;
  for (let round = 0; round < 100 && !isMostlyGone(); round++) {
    await turn(); // the value read is retained until then
    collectGarbage();
  }
  assert(isMostlyGone());
  assertEquals(await first(() => interruptible(promise), () => 1), 1);
});

test("interruptible() keeps nothing of a wait that was cancelled in its switch", async () => {
  await Switch.run(async (sw) => {
    const before = sw.dump();
    for (let i = 0; i < 100; i++) await first(() => interruptible(never), () => 1);
    assertEquals(sw.dump(), before);
  });
});
