// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { awaitCancel, Cancelled, currentSignal, isCancelled, Switch, yieldNow } from "../../switch/mod.ts";
import { openCounts } from "../../base/_counter.ts";
import { test } from "../_test.ts";
import { failure, failuresOf, rejectionOf } from "./_helpers.ts";

test("Switch.fail() does not throw, and the owner gets the error", async () => {
  const log: string[] = [];
  const running = Switch.run((sw) => {
    sw.fail(failure);
    log.push("cleanup");
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertEquals(log, ["cleanup"]);
});

test("Switch.fail() turns signals, isCancelled() and waiting operations at once", async () => {
  const seen: unknown[] = [];
  await rejectionOf(Switch.run((sw) => {
    const signals = [sw.signal, currentSignal()];
    sw.fork(awaitCancel);
    sw.fork(() => Switch.run(awaitCancel));
    const look = () => [...signals.map(({ aborted }) => aborted), isCancelled(), openCounts().operations];
    seen.push(look());
    sw.fail(failure);
    seen.push(look());
  }));
  assertEquals(seen, [[false, false, false, 2], [true, true, true, 0]]);
});

test("Switch.fail() keeps the first reason and adds the later errors", async () => {
  const later = new Error("later");
  let reason: unknown;
  const failures = await failuresOf(Switch.run((sw) => {
    sw.fail(failure);
    sw.fail(later);
    reason = sw.signal.reason;
  }));
  assertEquals(failures, [failure, later]);
  assertInstanceOf(reason, Cancelled);
  assertStrictEquals(reason.cause, failure);
});

test("Switch.fail() keeps its reason when the caller is cancelled later", async () => {
  const seen: unknown[] = [];
  await rejectionOf(Switch.run((outer) =>
    Switch.run((inner) => {
      inner.fail("inner");
      outer.fail("outer");
      for (const sw of [inner, outer]) seen.push(assertThrows(() => sw.check(), Cancelled).cause);
    })
  ));
  assertEquals(seen, ["inner", "outer"]);
});

test("Switch.fail() called by a listener of the signal adds its error", async () => {
  const later = new Error("later");
  const running = Switch.run((sw) => {
    sw.signal.addEventListener("abort", () => sw.fail(later));
    sw.fail(failure);
  });
  assertEquals(await failuresOf(running), [failure, later]);
});

test("Switch.fail() with a Cancelled makes run() reject with it", async () => {
  const reason = new Cancelled("stop");
  assertStrictEquals(await rejectionOf(Switch.run((sw) => sw.fail(reason))), reason);
});

test("Switch.fail() treats undefined as an error", async () => {
  assertEquals(await failuresOf(Switch.run((sw) => sw.fail(undefined))), [undefined]);
});

test("Switch.fail() from outside fails the child and leaves its parent running", async () => {
  const seen = await Switch.run(async (parent) => {
    let child!: Switch;
    const owner = rejectionOf(Switch.run((sw) => {
      child = sw;
      return awaitCancel();
    }));
    child.fail(failure);
    return [await owner, parent.signal.aborted];
  });
  assertEquals(seen, [failure, false]);
});

test("A failed child switch whose error is caught leaves its parent running", async () => {
  const value = await Switch.run(async () => {
    const error = await rejectionOf(Switch.run((sw) => sw.fail(failure)));
    await yieldNow();
    return error;
  });
  assertStrictEquals(value, failure);
});

test("A parent switch fails with what the handler of a child's error throws", async () => {
  const handled = new Error("handled");
  const running = Switch.run((sw) =>
    sw.fork(() => Switch.run((sw) => sw.fail(failure)).catch(() => Promise.reject(handled)))
  );
  assertStrictEquals(await rejectionOf(running), handled);
});

test("Switch.check() throws Cancelled on a failed switch, and TypeError on a finished one", async () => {
  let sw!: Switch;
  let reason: unknown;
  await rejectionOf(Switch.run((given) => {
    sw = given;
    sw.check();
    sw.fail(failure);
    reason = assertThrows(() => sw.check(), Cancelled);
  }));
  assertStrictEquals((reason as Cancelled).cause, failure);
  assertThrows(() => sw.check(), TypeError, "the switch is finished");
});

test("A finished switch refuses fail(), fork() and forkDaemon() with TypeError", async () => {
  const sw = await Switch.run((sw) => sw);
  assertThrows(() => sw.fail(failure), TypeError, "Cannot fail a switch: the switch is finished");
  assertThrows(() => sw.fork(() => {}), TypeError, "Cannot fork a fiber: the switch is finished");
  assertThrows(() => sw.forkDaemon(() => {}), TypeError, "Cannot fork a daemon: the switch is finished");
});
