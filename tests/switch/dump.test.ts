// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { awaitCancel, first, interruptible, protect, Semaphore, Switch, yieldNow } from "../../switch/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import { test } from "../_test.ts";
import { rejectionOf } from "./_helpers.ts";

const failure = new Error("Cannot go on");

test("Switch.dump() shows the tree of switches, fibers and shields, what they wait in, and resources", async () => {
  class Pool {
    [Symbol.dispose]() {}
  }
  let text = "";
  await rejectionOf(Switch.run(async (sw) => {
    sw.use(new Pool());
    sw.onRelease(function closeFiles() {});
    sw.fork(() => awaitCancel());
    sw.forkDaemon(() => systemClock.sleep(Infinity));
    sw.fork(() => first(() => new Semaphore(0).acquire(), () => interruptible(new Promise<never>(() => {}))));
    sw.fork(() =>
      Switch.run((inner) => {
        inner.fork(() => protect(yieldNow));
        return awaitCancel();
      }, { name: "inner" })
    );
    text = sw.dump();
    await yieldNow();
    sw.fail(failure);
  }, { name: "server" }));
  assertEquals(
    text,
    `switch "server"
  resource: Pool
  resource: closeFiles
  fiber
    waiting: awaitCancel
  daemons
    daemon
      waiting: sleep
  fiber
    first
      fiber
        waiting: acquire
      fiber
        waiting: interruptible
  fiber
    switch "inner"
      waiting: awaitCancel
      fiber
        protect
          waiting: yieldNow`,
  );
});

test("Switch.dump() shows which scopes are cancelled", async () => {
  let text = "";
  await rejectionOf(Switch.run((sw) => {
    sw.fork(() => protect(yieldNow));
    sw.fail(failure);
    text = sw.dump();
  }));
  assertEquals(text, "switch (cancelled)\n  fiber (cancelled)\n    protect\n      waiting: yieldNow");
});

test("Switch.dump() leaves out what has ended or was released", async () => {
  await Switch.run(async (sw) => {
    sw.fork(yieldNow);
    const hook = sw.onRelease(() => {});
    assertStringIncludes(sw.dump(), "release hook");
    await yieldNow();
    await yieldNow();
    hook.remove();
    assertEquals(sw.dump(), "switch");
  });
});

test("Switch.dump() works on a finished switch", async () => {
  const sw = await Switch.run((sw) => sw);
  assertEquals(sw.dump(), "switch");
});
