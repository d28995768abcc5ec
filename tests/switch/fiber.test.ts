// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import {
  all,
  any,
  awaitCancel,
  both,
  Cancelled,
  checkCancelled,
  first,
  isCancelled,
  MultipleErrors,
  nAny,
  protect,
  Switch,
  yieldNow,
} from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { failure, failuresOf, rejectionOf, throwing } from "./_helpers.ts";

function fails(error: unknown = failure): never {
  throw error;
}

/** Returns a value although its fiber is cancelled. */
async function stubborn<T>(value: T): Promise<T> {
  await rejectionOf(awaitCancel());
  return value;
}

test("all() returns the results of the functions in order, with their types", async () => {
  const slow = async () => {
    await yieldNow();
    return 1;
  };
  const [a, b, c]: [number, string, boolean] = await all([slow, () => "two", () => true]);
  assertEquals([a, b, c], [1, "two", true]);
});

test("all() of no functions returns an empty array", async () => {
  assertEquals(await all([]), []);
});

test("all() calls each function at once, up to its first await", async () => {
  const log: string[] = [];
  const running = all(["a", "b"].map((name) => async () => {
    log.push(name);
    await null;
    log.push(`${name} goes on`);
  }));
  log.push("called");
  await running;
  assertEquals(log, ["a", "b", "called", "a goes on", "b goes on"]);
});

test("all() starts no more after a synchronous throw", async () => {
  const log: string[] = [];
  const running = all([() => fails(), () => log.push("second")]);
  assertStrictEquals(await rejectionOf(running), failure);
  assertEquals(log, []);
});

test("all() starts the rest before it sees a promise that is rejected already", async () => {
  const log: string[] = [];
  const running = all([() => Promise.reject(failure), () => log.push("second")]);
  assertStrictEquals(await rejectionOf(running), failure);
  assertEquals(log, ["second"]);
});

test("all() cancels the others when one throws, awaits them, and throws the error", async () => {
  let seen: unknown;
  const running = all([async () => {
    seen = await rejectionOf(awaitCancel());
    await protect(yieldNow);
    seen = [seen, "awaited"];
  }, () => fails()]);
  assertStrictEquals(await rejectionOf(running), failure);
  const [reason, awaited] = seen as unknown[];
  assertInstanceOf(reason, Cancelled);
  assertEquals([reason.cause, awaited], [failure, "awaited"]);
});

test("all() throws all failures in order of occurrence, those of cancelled fibers oldest first", async () => {
  const error = await rejectionOf(all([
    () => throwing("first", awaitCancel),
    () => throwing("second", awaitCancel),
    () => fails(),
  ]));
  assertInstanceOf(error, MultipleErrors);
  assertEquals(error.errors, [failure, "first", "second"]);
});

test("all() starts nothing in a cancelled scope", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    const start = () => log.push("started");
    for (const refused of [all([start]), both(start, start), any([start]), first(start, start), nAny([start])]) {
      log.push(await rejectionOf(refused) instanceof Cancelled);
    }
  }));
  assertEquals(log, [true, true, true, true, true]);
});

test("all() is cancelled with its caller", async () => {
  let seen: unknown;
  await rejectionOf(Switch.run((sw) => {
    sw.fork(async () => seen = await rejectionOf(all([awaitCancel, yieldNow])));
    sw.fail(failure);
  }));
  assertInstanceOf(seen, Cancelled);
  assertStrictEquals(seen.cause, failure);
});

test("all() returns its values once all are ready, although its caller was cancelled", async () => {
  let values: unknown;
  await rejectionOf(Switch.run(async (sw) => {
    values = await all([() => 1, () => {
      sw.fail(failure);
      return 2;
    }]);
  }));
  assertEquals(values, [1, 2]);
});

test("all() rejects anything but a function with TypeError and starts nothing", async () => {
  const log: string[] = [];
  const start = () => log.push("started");
  await assertRejects(() => all([start, 1 as never]), TypeError, "Cannot run all: 1 is not a function");
  await assertRejects(() => any([start, undefined as never]), TypeError, "Cannot run any: undefined is not a function");
  await assertRejects(() => nAny([start, null as never]), TypeError, "Cannot run nAny: null is not a function");
  assertEquals(log, []);
});

test("both() returns both values", async () => {
  assertEquals(await both(() => 1, () => Promise.resolve("two")), [1, "two"]);
});

test("both() starts no second function when the first throws at once", async () => {
  let started = false;
  assertStrictEquals(await rejectionOf(both(() => fails(), () => started = true)), failure);
  assertEquals(started, false);
});

test("both() cancels the first when the second throws, and throws the cause", async () => {
  let seen: unknown;
  const running = both(async () => {
    seen = await rejectionOf(awaitCancel());
    throw seen;
  }, () => fails());
  assertStrictEquals(await rejectionOf(running), failure);
  assertInstanceOf(seen, Cancelled);
});

test("first() returns the first value, and cancels and awaits the other", async () => {
  const log: unknown[] = [];
  const value = await first(async () => {
    await yieldNow();
    return "fast";
  }, async () => {
    log.push(await rejectionOf(awaitCancel()) instanceof Cancelled);
    await protect(yieldNow);
    log.push("awaited");
  });
  assertEquals([value, log], ["fast", [true, "awaited"]]);
});

test("first() returns the earlier of two values, or the result of combine", async () => {
  assertEquals(await first(() => "a", () => "b"), "a");
  assertEquals(await first(() => "a", () => "b", { combine: undefined }), "a");
  assertEquals(await first(() => "a", () => "b", { combine: (earlier, later) => earlier + later }), "ab");
});

test("first() combines in order of completion", async () => {
  const value = await first(() => stubborn("loser"), () => "winner", { combine: (a, b) => `${a},${b}` });
  assertEquals(value, "winner,loser");
});

test("first() throws when one throws, whether before or after the other returns a value", async () => {
  assertStrictEquals(await rejectionOf(first(() => fails(), () => 1)), failure);
  assertStrictEquals(await rejectionOf(first(() => 1, () => fails())), failure);
  assertStrictEquals(await rejectionOf(first(() => throwing(failure, awaitCancel), () => 1)), failure);
});

test("first() throws both failures when both throw", async () => {
  const other = new Error("other");
  const running = first(() => throwing(other, awaitCancel), () => fails());
  assertEquals(await failuresOf(running), [failure, other]);
});

test("first() cancels a loser that would throw later", async () => {
  const value = await first(() => 1, async () => {
    await yieldNow();
    fails();
  });
  assertEquals(value, 1);
});

test("first() returns a value that is ready when its caller is cancelled, and the next check throws", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    log.push(
      await first(() => 1, () => {
        sw.fail(failure);
        return awaitCancel();
      }),
    );
    checkCancelled();
    log.push("not reached");
  }));
  assertEquals(log, [1]);
});

test("first() does not cancel its caller", async () => {
  await Switch.run(async () => {
    await first(awaitCancel, () => 1);
    assertEquals(isCancelled(), false);
    await yieldNow();
  });
});

test("first() throws a Cancelled of a branch that was not cancelled", async () => {
  const cancelled = new Cancelled("own");
  assertStrictEquals(await rejectionOf(first(() => fails(cancelled), awaitCancel)), cancelled);
});

test("first() throws a Cancelled of a branch that was not cancelled, although the other returns a value", async () => {
  const cancelled = new Cancelled("own");
  assertStrictEquals(await rejectionOf(first(() => Promise.reject(cancelled), () => stubborn(1))), cancelled);
});

test("any() of no functions waits until cancelled", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    sw.fork(async () => log.push(await rejectionOf(any([])) instanceof Cancelled));
    sw.fork(async () => log.push(await rejectionOf(nAny([])) instanceof Cancelled));
    await yieldNow();
    log.push("still waiting");
    sw.fail(failure);
  }));
  assertEquals(log, ["still waiting", true, true]);
});

test("any() treats undefined as a value", async () => {
  assertEquals(await any<unknown>([() => undefined, () => stubborn("late")]), undefined);
});

test("any() combines all available values", async () => {
  const combine = (a: string, b: string) => a + b;
  assertEquals(await any([() => "a", () => stubborn("b"), () => stubborn("c")], { combine }), "abc");
});

test("any() throws what combine throws", async () => {
  assertStrictEquals(await rejectionOf(any([() => 1, () => 2], { combine: () => fails() })), failure);
});

test("any() rejects a combine that is not a function with TypeError and starts nothing", async () => {
  let started = false;
  const running = any([() => started = true], { combine: 1 as never });
  await assertRejects(() => running, TypeError, "Cannot combine values: 1 is not a function");
  assertEquals(started, false);
});

test("any() rejects with Cancelled if its caller is cancelled before the first value", async () => {
  let seen: unknown;
  await rejectionOf(Switch.run((sw) => {
    sw.fork(async () => seen = await rejectionOf(any([awaitCancel, awaitCancel])));
    sw.fail(failure);
  }));
  assertInstanceOf(seen, Cancelled);
  assertStrictEquals(seen.cause, failure);
});

test("nAny() returns every value in order of completion", async () => {
  const slow = async () => {
    await yieldNow();
    return "slow";
  };
  assertEquals(await nAny([() => stubborn("a"), slow, () => "b", () => "c"]), ["b", "c", "a"]);
});

test("nAny() returns the other values if a branch was cancelled", async () => {
  const slow = async () => {
    await yieldNow();
    return "b";
  };
  assertEquals(await nAny([() => "a", slow, () => "c", () => "d"]), ["a", "c", "d"]);
});

test("nAny() throws when one throws", async () => {
  assertStrictEquals(await rejectionOf(nAny([() => 1, () => fails()])), failure);
});
