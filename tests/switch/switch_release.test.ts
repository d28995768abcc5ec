// Copyright 2026 the Sluice authors. MIT license.

import { AsyncLocalStorage } from "node:async_hooks";
import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { awaitCancel, Cancelled, isCancelled, MultipleErrors, Switch, yieldNow } from "../../switch/mod.ts";
import { turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { failure, failuresOf, rejectionOf } from "./_helpers.ts";

test("Switch.onRelease() runs hooks newest first", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.onRelease(() => log.push("A"));
    sw.onRelease(() => log.push("B"));
    log.push("main");
  });
  assertEquals(log, ["main", "B", "A"]);
});

test("Switch.onRelease() runs every hook, and what hooks throw fails the switch in order of occurrence", async () => {
  const log: number[] = [];
  const [one, three] = [new Error("1"), new Error("3")];
  const running = Switch.run((sw) => {
    sw.onRelease(() => {
      log.push(1);
      throw one;
    });
    sw.onRelease(() => log.push(2));
    sw.onRelease(() => {
      log.push(3);
      return Promise.reject(three);
    });
  });
  const error = await rejectionOf(running);
  assertInstanceOf(error, MultipleErrors);
  assertEquals([log, error.errors], [[3, 2, 1], [three, one]]);
});

test("Switch.onRelease() adds what hooks throw to what failed before", async () => {
  const late = new Error("late");
  const running = Switch.run((sw) => {
    sw.onRelease(() => Promise.reject(late));
    throw failure;
  });
  assertEquals(await failuresOf(running), [failure, late]);
});

test("Switch.onRelease() awaits each hook before the next", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.onRelease(() => log.push("A"));
    sw.onRelease(async () => {
      await yieldNow();
      log.push("B");
    });
  });
  assertEquals(log, ["B", "A"]);
});

test("Switch.onRelease() runs no hook before all fibers have ended", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.onRelease(() => log.push("hook"));
    sw.fork(async () => {
      await yieldNow();
      await yieldNow();
      log.push("fiber");
    });
  });
  assertEquals(log, ["fiber", "hook"]);
});

test("Switch.onRelease() shields hooks from the cancellation of the switch and of its caller", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run((outer) =>
    Switch.run((sw) => {
      sw.onRelease(async () => {
        log.push(isCancelled());
        outer.fail(failure);
        await yieldNow();
        log.push(isCancelled(), "released");
      });
      sw.fail(failure);
    })
  ));
  assertEquals(log, [false, false, "released"]);
});

test("Switch.onRelease() may be called by fibers on their way out", async () => {
  const log: string[] = [];
  await rejectionOf(Switch.run((sw) => {
    sw.fork(async () => {
      await rejectionOf(awaitCancel());
      sw.onRelease(() => log.push("hook"));
      log.push("fiber");
    });
    sw.fail(failure);
  }));
  assertEquals(log, ["fiber", "hook"]);
});

test("Switch.onRelease() returns a hook that is removed exactly once", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.onRelease(() => log.push("oldest"));
    const hook = sw.onRelease(() => log.push("removed"));
    sw.onRelease(() => log.push("newest"));
    assertEquals([hook.remove(), hook.remove()], [true, false]);
  });
  assertEquals(log, ["newest", "oldest"]);
});

test("Switch.onRelease() returns a hook that cannot be removed while it runs or after it has run", async () => {
  const seen: boolean[] = [];
  const hook = await Switch.run((sw) => {
    const hook = sw.onRelease(() => seen.push(hook.remove()));
    return hook;
  });
  assertEquals([hook.remove(), seen], [false, [false]]);
});

test("Switch.onRelease() lets a hook remove an older one", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    const older = sw.onRelease(() => log.push("older"));
    sw.onRelease(() => older.remove());
  });
  assertEquals(log, []);
});

test("Switch.run() waits for what a hook forks", async () => {
  const log: unknown[] = [];
  await Switch.run((sw) => {
    sw.onRelease(() => {
      sw.fork(async () => {
        await yieldNow();
        const error = assertThrows(() => sw.onRelease(() => log.push("late hook")), TypeError);
        log.push(error.message);
      });
    });
    sw.onRelease(() => log.push("other hook"));
  });
  assertEquals(log, ["other hook", "late hook", "Cannot register a release hook: the switch is releasing"]);
});

test("Switch.run() waits for its hooks although a fiber that one forked has ended", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.onRelease(async () => {
      for (let i = 0; i < 3; i++) await yieldNow();
      log.push("older");
    });
    sw.onRelease(() => sw.fork(() => log.push("fiber")));
  });
  assertEquals(log, ["fiber", "older"]);
});

test("Switch.onRelease() on a finished switch runs the hook at once and throws TypeError", async () => {
  const log: string[] = [];
  const sw = await Switch.run((sw) => sw);
  assertThrows(() => sw.onRelease(() => log.push("hook")), TypeError, "the switch is finished");
  assertEquals(log, ["hook"]);
});

test("Switch.onRelease() on a finished switch adds to a cancelled caller's failure", async () => {
  const log: unknown[] = [];
  const finished = await Switch.run((sw) => sw);
  const failures = await failuresOf(Switch.run((sw) => {
    sw.fail(failure);
    finished.onRelease(async () => {
      log.push(isCancelled());
      await yieldNow();
      log.push("hook");
    });
  }));
  assertEquals(log, [false, "hook"]);
  assertStrictEquals(failures[0], failure);
  assertInstanceOf(failures[1], TypeError);
  assertEquals(failures.length, 2);
});

test("Switch.onRelease() on a finished switch throws with the hook's error as the cause", async () => {
  const sw = await Switch.run((sw) => sw);
  const error = assertThrows(() =>
    sw.onRelease(() => {
      throw failure;
    }), TypeError);
  assertStrictEquals(error.cause, failure);
});

test("Switch.onRelease() on a finished switch fails the caller's own switch with a later rejection", async () => {
  const finished = await Switch.run((sw) => sw);
  const running = Switch.run(() => {
    assertThrows(() =>
      finished.onRelease(async () => {
        await yieldNow();
        throw failure;
      }), TypeError);
  });
  assertStrictEquals(await rejectionOf(running), failure);
});

test("Switch.onRelease() on a finished switch ignores a later rejection of the hook", async () => {
  const sw = await Switch.run((sw) => sw);
  assertThrows(() => sw.onRelease(() => Promise.reject(failure)), TypeError);
  await turn();
});

test("Switch.onRelease() rejects anything but a function with TypeError", async () => {
  await Switch.run((sw) => {
    assertThrows(() => sw.onRelease(1 as never), TypeError, "Cannot register a release hook: 1 is not a function");
  });
});

test("Switch.use() returns the resource and disposes of it, newest first, before run() throws", async () => {
  const log: string[] = [];
  const make = (name: string) => ({ name, [Symbol.dispose]: () => void log.push(name) });
  const running = Switch.run((sw) => {
    const names = ["a", "b", "c"].map((name) => sw.use(make(name)).name);
    log.push(names.join());
    throw failure;
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertEquals(log, ["a,b,c", "c", "b", "a"]);
});

test("Switch.use() prefers asynchronous disposal, and awaits it", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.onRelease(() => log.push("older"));
    sw.use({
      [Symbol.dispose]: () => void log.push("dispose"),
      [Symbol.asyncDispose]: async () => {
        await yieldNow();
        log.push("asyncDispose");
      },
    });
  });
  assertEquals(log, ["asyncDispose", "older"]);
});

test("Switch.use() calls the method on the resource", async () => {
  class Resource {
    closed = false;
    [Symbol.dispose]() {
      this.closed = true;
    }
  }
  const resource = await Switch.run((sw) => sw.use(new Resource()));
  assertEquals(resource.closed, true);
});

test("Switch.use() on a finished switch disposes at once and throws TypeError", async () => {
  const log: string[] = [];
  const sw = await Switch.run((sw) => sw);
  assertThrows(() => sw.use({ [Symbol.dispose]: () => void log.push("disposed") }), TypeError);
  assertEquals(log, ["disposed"]);
});

test("Switch.use() rejects what cannot be disposed of with TypeError", async () => {
  for (const resource of [{}, 1, null, undefined, { [Symbol.dispose]: 1 }]) {
    await assertRejects(() => Switch.run((sw) => void sw.use(resource as never)), TypeError, "Cannot use a resource");
  }
});

test("Switch.onRelease() lets hooks see the AsyncLocalStorage values of the caller of run(), whichever fiber ended last", async () => {
  const local = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  await local.run("caller", () =>
    Switch.run((sw) => {
      for (let i = 0; i < 2; i++) {
        sw.onRelease(async () => {
          seen.push(local.getStore());
          await yieldNow();
          seen.push(local.getStore());
        });
      }
      local.run("fork", () => sw.fork(yieldNow));
    }));
  assertEquals(seen, ["caller", "caller", "caller", "caller"]);
});

test("Switch.onRelease() shields hooks, and not the fibers that they fork", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run((outer) =>
    Switch.run((sw) => {
      sw.onRelease(async () => {
        sw.fork(async () => {
          await rejectionOf(awaitCancel());
          log.push("fiber", isCancelled());
        });
        outer.fail(failure);
        log.push("hook", isCancelled());
        await yieldNow();
        log.push("hook", isCancelled());
      });
    })
  ));
  assertEquals(log, ["hook", false, "fiber", true, "hook", false]);
});

test("Switch.onRelease() shields nothing once the last hook has run", async () => {
  const seen: unknown[] = [];
  let stray!: Promise<unknown>;
  await rejectionOf(Switch.run((outer) =>
    Switch.run((sw) => {
      sw.onRelease(() => {
        stray = rejectionOf(awaitCancel());
        sw.fork(async () => {
          await yieldNow();
          outer.fail(failure);
          seen.push(await stray);
        });
      });
    })
  ));
  assertInstanceOf(seen[0], Cancelled);
});

test("Switch.onRelease() shields hooks, but not work that other code begins in the failed switch", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const stray = released.then(() => isCancelled());
    sw.onRelease(async () => {
      release();
      log.push(await stray, isCancelled());
    });
    await null;
    sw.fail(failure);
  }));
  assertEquals(log, [true, false]);
});
