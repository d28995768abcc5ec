// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { awaitCancel, first, interruptible, protect, Semaphore, Switch, yieldNow } from "../../switch/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import { test } from "../_test.ts";
import { failure, rejectionOf } from "./_helpers.ts";

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

test("Switch.dump() cuts names and labels, and escapes what could forge a line", async () => {
  const name = "\n  resource: tcp:10.0.0.1:22 \x1b[31m".repeat(100_000);
  const hook = Object.defineProperty(() => {}, "name", { value: name });
  let text = "";
  await Switch.run((sw) => {
    sw.onRelease(hook);
    sw.onRelease(() => {});
    text = sw.dump();
  }, { name });
  const lines = text.split("\n");
  assertEquals(lines.length, 3);
  for (const line of lines) assert(line.length < 1000 && !/\p{Cc}/u.test(line), line);
});

test("Switch.dump() shows 100 000 fibers", async () => {
  let lines = 0;
  await rejectionOf(Switch.run((sw) => {
    for (let i = 0; i < 100_000; i++) sw.fork(awaitCancel);
    lines = sw.dump().split("\n").length;
    sw.fail(failure);
  }));
  assertEquals(lines, 200_001);
});

test("Switch.dump() shows a tree that is 5 000 scopes deep", async () => {
  const deep = (left: number): Promise<unknown> =>
    left === 0 ? awaitCancel() : Switch.run(() => yieldNow().then(() => deep(left - 1)));
  let text = "";
  await rejectionOf(Switch.run(async (sw) => {
    sw.fork(() => deep(5000));
    while (!text.includes("awaitCancel")) {
      for (let i = 0; i < 500; i++) await yieldNow();
      text = sw.dump();
    }
    sw.fail(failure);
  }));
  assertEquals(text.split("\n").filter((line) => line.trim() === "switch").length, 5001);
});
