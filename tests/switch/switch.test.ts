// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { awaitCancel, Cancelled, isCancelled, MultipleErrors, Switch, yieldNow } from "../../switch/mod.ts";
import { test } from "../_test.ts";
import { failure, rejectionOf, throwing } from "./_helpers.ts";

test("Switch.run() returns what the main function returns", async () => {
  assertEquals(await Switch.run(() => 1), 1);
  assertEquals(await Switch.run(() => Promise.resolve(2)), 2);
});

test("Switch.run() calls the main function at once, up to its first await", async () => {
  const log: string[] = [];
  const running = Switch.run(async () => {
    log.push("start");
    await null;
    log.push("end");
  });
  log.push("called");
  await running;
  assertEquals(log, ["start", "called", "end"]);
});

test("Switch.run() throws what the main function throws, at once or later", async () => {
  const now = Switch.run(() => {
    throw failure;
  });
  assertStrictEquals(await rejectionOf(now), failure);
  assertStrictEquals(await rejectionOf(Switch.run(() => Promise.reject(failure))), failure);
});

test("Switch.run() cancels its fibers when the main function throws", async () => {
  const seen: unknown[] = [];
  const running = Switch.run((sw) => {
    sw.fork(async () => seen.push(await rejectionOf(awaitCancel())));
    throw failure;
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertInstanceOf(seen[0], Cancelled);
  assertStrictEquals(seen[0].cause, failure);
});

test("Switch.run() waits for all fibers before it settles", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.fork(async () => {
      await yieldNow();
      log.push("fiber");
    });
    log.push("main");
  });
  log.push("run");
  assertEquals(log, ["main", "fiber", "run"]);
});

test("Switch.run() throws all failures in order of occurrence, those of cancelled fibers oldest first", async () => {
  const [first, second] = [new Error("first"), new Error("second")];
  const running = Switch.run((sw) => {
    sw.fork(() => throwing(first, awaitCancel));
    sw.fork(() => throwing(second, awaitCancel));
    throw failure;
  });
  const error = await rejectionOf(running);
  assertInstanceOf(error, MultipleErrors);
  assertEquals(error.errors, [failure, first, second]);
});

test("Switch.run() does not start in a cancelled scope", async () => {
  let started = false;
  let refusal: unknown;
  const running = Switch.run(async (sw) => {
    sw.fail(failure);
    refusal = await rejectionOf(Switch.run(() => started = true));
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertInstanceOf(refusal, Cancelled);
  assertEquals(started, false);
});

test("Switch.run() returns a value that is ready although its caller was cancelled", async () => {
  let value: unknown;
  let next: unknown;
  await rejectionOf(Switch.run(async (outer) => {
    value = await Switch.run(() => {
      outer.fail(failure);
      return "value";
    });
    next = await rejectionOf(yieldNow());
  }));
  assertEquals(value, "value");
  assertInstanceOf(next, Cancelled);
});

test("Switch.run() is cancelled with its caller", async () => {
  let inner: unknown;
  const running = Switch.run(async (outer) => {
    outer.fork(async () => inner = await rejectionOf(Switch.run(awaitCancel)));
    await yieldNow();
    throw failure;
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertInstanceOf(inner, Cancelled);
  assertStrictEquals(inner.cause, failure);
});

test("Switch.run() rejects with Cancelled when its signal is aborted", async () => {
  const controller = new AbortController();
  const running = rejectionOf(Switch.run(awaitCancel, { signal: controller.signal }));
  controller.abort("enough");
  const error = await running;
  assertInstanceOf(error, Cancelled);
  assertEquals(error.cause, "enough");
});

test("Switch.run() does not start when its signal is aborted already", async () => {
  let started = false;
  const running = Switch.run(() => started = true, { signal: AbortSignal.abort("before") });
  const error = await assertRejects(() => running, Cancelled);
  assertEquals([error.cause, started], ["before", false]);
});

test("Switch.run() cancels in the very turn in which its signal is aborted", async () => {
  const controller = new AbortController();
  const seen = await Switch.run(() => {
    controller.abort();
    return isCancelled();
  }, { signal: controller.signal });
  assert(seen);
});

test("Switch.run() leaves no listener on its signal", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = function (...args: unknown[]) {
    listeners++;
    addEventListener.apply(this, args as never);
  };
  signal.removeEventListener = function (...args: unknown[]) {
    listeners--;
    removeEventListener.apply(this, args as never);
  };
  await Switch.run(() => 1, { signal });
  await rejectionOf(Switch.run(() => Promise.reject(failure), { signal }));
  assertEquals(listeners, 0);
});

test("Switch.run() accepts absent options", async () => {
  assertEquals(await Switch.run((sw) => sw.name, { name: undefined, signal: undefined }), undefined);
});

test("Switch.run() rejects anything but a function with TypeError", async () => {
  for (const run of [Switch.run, Switch.runProtected]) {
    await assertRejects(() => run(1 as never), TypeError, "Cannot run a switch: 1 is not a function");
  }
});

test("Switch.runProtected() starts in a cancelled scope and returns its value", async () => {
  let value: unknown;
  await rejectionOf(Switch.run(async (outer) => {
    outer.fail(failure);
    value = await Switch.runProtected(async () => {
      await yieldNow();
      return "saved";
    });
  }));
  assertEquals(value, "saved");
});

test("Switch.runProtected() is not cancelled with its caller", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (outer) => {
    await Switch.runProtected(async (sw) => {
      outer.fail(failure);
      log.push(sw.signal.aborted, isCancelled());
      sw.fork(async () => {
        await yieldNow();
        log.push("fiber");
      });
      await yieldNow();
    });
    log.push(isCancelled());
  }));
  assertEquals(log, [false, false, "fiber", true]);
});

test("Switch.runProtected() is cancelled by its own fail()", async () => {
  const running = Switch.runProtected((sw) => {
    sw.fail(failure);
    return awaitCancel();
  });
  assertStrictEquals(await rejectionOf(running), failure);
});

test("Switch.signal is one signal, whose reason is the Cancelled", async () => {
  const seen: unknown[] = [];
  await rejectionOf(Switch.run((sw) => {
    seen.push(sw.signal === sw.signal);
    sw.fail(failure);
    seen.push(sw.signal.aborted, (sw.signal.reason as Cancelled).cause);
  }));
  assertEquals(seen, [true, true, failure]);
});

test("Switch.signal asked for after the failure is aborted", async () => {
  let aborted = false;
  await rejectionOf(Switch.run((sw) => {
    sw.fail(failure);
    aborted = sw.signal.aborted;
  }));
  assert(aborted);
});

test("Switch.signal is not aborted by the end of the switch", async () => {
  const signal = await Switch.run((sw) => sw.signal);
  assertEquals(signal.aborted, false);
});

test("Switch has no public constructor, and is frozen", async () => {
  assertThrows(() => Reflect.construct(Switch, []), TypeError, "Cannot construct a Switch: use Switch.run");
  assertThrows(() => Reflect.apply(Switch as unknown as () => void, undefined, []), TypeError);
  const sw = await Switch.run((sw) => sw);
  assertThrows(() => new (sw.constructor as typeof Switch)(undefined, undefined, undefined as never), TypeError);
  assertEquals([Object.isFrozen(Switch.prototype), Object.isFrozen(sw)], [true, true]);
});

test("Switch makes no AbortController until its signal is read", async () => {
  const { AbortController } = globalThis;
  let made = 0;
  globalThis.AbortController = class extends AbortController {
    constructor() {
      super();
      made++;
    }
  };
  try {
    await rejectionOf(Switch.run(async (sw) => {
      sw.fork(awaitCancel);
      sw.forkDaemon(awaitCancel);
      await yieldNow();
      sw.fail(failure);
    }));
    assertEquals(made, 0);
    await Switch.run((sw) => sw.signal);
    assertEquals(made, 1);
  } finally {
    globalThis.AbortController = AbortController;
  }
});
