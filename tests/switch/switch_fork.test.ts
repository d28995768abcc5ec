// Copyright 2026 the Sluice authors. MIT license.

import { AsyncLocalStorage } from "node:async_hooks";
import { assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { awaitCancel, Cancelled, first, isCancelled, Switch, yieldNow } from "../../switch/mod.ts";
import { openCounts } from "../../base/_counter.ts";
import { turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { failure, failuresOf, rejectionOf, throwing } from "./_helpers.ts";

test("Switch.fork() calls the function at once, up to its first await", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.fork(async () => {
      log.push("fiber");
      await null;
      log.push("fiber goes on");
    });
    log.push("main");
  });
  assertEquals(log, ["fiber", "main", "fiber goes on"]);
});

test("Switch.fork() does not throw what the function throws, but fails the switch at once", async () => {
  const log: unknown[] = [];
  const running = Switch.run((sw) => {
    sw.fork(() => {
      throw failure;
    });
    log.push(isCancelled());
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertEquals(log, [true]);
});

test("Switch.fork() fails the switch when the function rejects later", async () => {
  let seen: unknown;
  const running = Switch.run(async (sw) => {
    sw.fork(async () => {
      await yieldNow();
      throw failure;
    });
    seen = await rejectionOf(awaitCancel());
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertInstanceOf(seen, Cancelled);
});

test("Switch.fork() starts nothing on a failed switch, and the caller continues", async () => {
  const log: string[] = [];
  const running = Switch.run((sw) => {
    sw.fail(failure);
    sw.fork(() => log.push("fiber"));
    log.push("main");
  });
  assertStrictEquals(await rejectionOf(running), failure);
  assertEquals(log, ["main"]);
});

test("Switch.fork() from another fiber is governed by the switch, not by its caller", async () => {
  const log: unknown[] = [];
  await Switch.run(async (outer) => {
    await rejectionOf(Switch.run((inner) => {
      outer.fork(async () => {
        await yieldNow();
        log.push(isCancelled());
      });
      inner.fail(failure);
    }));
  });
  assertEquals(log, [false]);
});

test("Switch.fork() lets the fiber see its caller's AsyncLocalStorage values", async () => {
  const local = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  await Switch.run((sw) =>
    local.run("caller", () => {
      sw.fork(async () => {
        await yieldNow();
        seen.push(local.getStore());
      });
    })
  );
  assertEquals(seen, ["caller"]);
});

test("Switch.fork() rejects anything but a function with TypeError", async () => {
  await Switch.run((sw) => {
    assertThrows(() => sw.fork(1 as never), TypeError, "Cannot fork a fiber: 1 is not a function");
    assertThrows(() => sw.forkDaemon(1 as never), TypeError, "Cannot fork a daemon: 1 is not a function");
  });
});

test("Switch.fork() waits for fibers that fibers fork", async () => {
  let depth = 0;
  await Switch.run((sw) => {
    const fiber = async () => {
      await yieldNow();
      if (++depth < 10) sw.fork(fiber);
    };
    sw.fork(fiber);
  });
  assertEquals(depth, 10);
});

test("Switch.fork() leaves nothing of an ended fiber in the switch", async () => {
  await Switch.run(async (sw) => {
    const before = sw.dump();
    for (let i = 0; i < 10_000; i++) sw.fork(() => {});
    await yieldNow();
    assertEquals([sw.dump(), openCounts().fibers], [before, 0]);
  });
});

test("Switch.fork() treats a rejection with undefined as an error", async () => {
  const running = Switch.run((sw) => sw.fork(() => Promise.reject(undefined)));
  assertEquals(await failuresOf(running), [undefined]);
});

test("Switch.forkPromise() returns what the function returns", async () => {
  assertEquals(await Switch.run((sw) => sw.forkPromise(() => 1)), 1);
  assertEquals(await Switch.run((sw) => sw.forkPromise(() => Promise.resolve(2))), 2);
});

test("Switch.forkPromise() rejects with what the function throws, and does not fail the switch", async () => {
  const seen = await Switch.run(async (sw) => {
    const now = await rejectionOf(sw.forkPromise(() => {
      throw failure;
    }));
    const later = await rejectionOf(sw.forkPromise(() => Promise.reject(failure)));
    return [now, later, sw.signal.aborted];
  });
  assertEquals(seen, [failure, failure, false]);
});

test("Switch.forkPromise() loses the error of a promise that is not awaited", async () => {
  await Switch.run(async (sw) => {
    sw.forkPromise(() => Promise.reject(failure));
    await yieldNow();
  });
  await turn();
});

test("Switch.forkPromise() keeps the switch open until its fiber ends", async () => {
  let ended = false;
  await Switch.run((sw) => {
    sw.forkPromise(async () => {
      await yieldNow();
      ended = true;
    });
  });
  assertEquals(ended, true);
});

test("Switch.forkPromise() is cancelled with the switch, not with its caller", async () => {
  const log: unknown[] = [];
  await Switch.run(async (outer) => {
    let promise!: Promise<string>;
    await first(() => {
      promise = outer.forkPromise(async () => {
        await yieldNow();
        return "value";
      });
      return awaitCancel();
    }, () => "winner");
    log.push(await promise);
  });
  assertEquals(log, ["value"]);
});

test("Switch.forkPromise() rejects with Cancelled on a failed switch and starts nothing", async () => {
  let started = false;
  let refusal: unknown;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    refusal = await rejectionOf(sw.forkPromise(() => started = true));
  }));
  assertInstanceOf(refusal, Cancelled);
  assertEquals([refusal.cause, started], [failure, false]);
});

test("Switch.forkPromise() rejects with TypeError on a finished switch and for anything but a function", async () => {
  const sw = await Switch.run(async (sw) => {
    await assertRejects(() => sw.forkPromise(1 as never), TypeError, "Cannot fork a fiber: 1 is not a function");
    return sw;
  });
  await assertRejects(() => sw.forkPromise(() => {}), TypeError, "Cannot fork a fiber: the switch is finished");
  sw.forkPromise(() => {}); // no unhandled rejection
  await turn();
});

test("Switch.forkDaemon() runs beside the main function and is cancelled when that ends", async () => {
  const log: string[] = [];
  await Switch.run(async (sw) => {
    sw.forkDaemon(async () => {
      try {
        for (;;) {
          log.push("daemon");
          await yieldNow();
        }
      } finally {
        log.push("daemon ends");
      }
    });
    log.push("main 1");
    await yieldNow();
    log.push("main 2");
    await yieldNow();
  });
  assertEquals(log.filter((line) => line !== "daemon"), ["main 1", "main 2", "daemon ends"]);
  assertEquals(log.slice(0, 4), ["daemon", "main 1", "daemon", "main 2"]);
});

test("Switch.forkDaemon() fails the switch with what a daemon throws", async () => {
  const running = Switch.run((sw) => {
    sw.forkDaemon(async () => {
      await yieldNow();
      throw failure;
    });
    return awaitCancel();
  });
  assertStrictEquals(await rejectionOf(running), failure);
});

test("Switch.forkDaemon() fails the switch with what a daemon throws on its way out", async () => {
  const running = Switch.run((sw) => sw.forkDaemon(() => throwing(failure, awaitCancel)));
  assertStrictEquals(await rejectionOf(running), failure);
});

test("Switch.forkDaemon() awaits the daemons, whose clean-up belongs to the switch", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.onRelease(() => log.push("hook"));
    sw.forkDaemon(async () => {
      await rejectionOf(awaitCancel());
      sw.onRelease(() => log.push("late hook"));
      await Switch.runProtected(yieldNow);
      log.push("daemon ends");
    });
    log.push("main");
  });
  assertEquals(log, ["main", "daemon ends", "late hook", "hook"]);
});

test("Switch.fork() and forkPromise() start nothing while the daemons are being ended", async () => {
  const log: string[] = [];
  let forked: unknown;
  await Switch.run((sw) => {
    sw.forkDaemon(async () => {
      await rejectionOf(awaitCancel());
      sw.fork(() => log.push("fiber"));
      forked = await rejectionOf(sw.forkPromise(() => log.push("promise")));
    });
  });
  assertEquals(log, []);
  assertInstanceOf(forked, Cancelled);
});

test("Switch.fork() in a release hook starts a fiber that the switch awaits, although its daemons have been ended", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.forkDaemon(awaitCancel);
    sw.onRelease(() => log.push("other hook"));
    sw.onRelease(() => {
      sw.fork(() => yieldNow().then(() => log.push("fiber")));
      log.push("hook");
    });
  });
  assertEquals(log, ["hook", "other hook", "fiber"]);
});

test("Switch.forkDaemon() does not fail the switch when the caller is cancelled", async () => {
  let value: unknown;
  await rejectionOf(Switch.run(async (outer) => {
    value = await Switch.run((sw) => {
      sw.forkDaemon(awaitCancel);
      outer.fail(failure);
      return "value";
    });
  }));
  assertEquals(value, "value");
});

test("Switch.forkDaemon() starts nothing once only daemons are left", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.forkDaemon(async () => {
      await rejectionOf(awaitCancel());
      sw.forkDaemon(() => log.push("daemon"));
    });
    sw.onRelease(() => sw.forkDaemon(() => log.push("daemon of a hook")));
  });
  assertEquals(log, []);
});

test("Switch.forkDaemon() starts nothing once the switch is releasing", async () => {
  const log: string[] = [];
  await Switch.run((sw) => {
    sw.onRelease(() => sw.forkDaemon(() => log.push("daemon")));
  });
  assertEquals(log, []);
});

test("Switch.forkDaemon() fails the switch with a Cancelled thrown without a cancellation", async () => {
  const cancelled = new Cancelled("own");
  const running = Switch.run((sw) => {
    sw.forkDaemon(() => Promise.reject(cancelled));
    return awaitCancel();
  });
  assertStrictEquals(await rejectionOf(running), cancelled);
});

test("Switch.forkDaemon() starts nothing on a failed switch", async () => {
  const log: string[] = [];
  await rejectionOf(Switch.run((sw) => {
    sw.fail(failure);
    sw.forkDaemon(() => log.push("daemon"));
  }));
  assertEquals(log, []);
});

test("Switch.fork() ends a fiber before it returns only where the function throws at once", async () => {
  await rejectionOf(Switch.run((sw) => {
    const before = openCounts().fibers;
    sw.fork(() => 1);
    assertEquals(openCounts().fibers, before + 1);
    sw.fork(() => {
      throw failure;
    });
    assertEquals(openCounts().fibers, before + 1);
  }));
});

test("Switch.forkPromise() waits for whatever can be awaited", async () => {
  class Sub extends Promise<number> {}
  const thenable = { then: (resolve: (value: number) => void) => resolve(2) };
  const twice = {
    then(resolve: (value: number) => void, reject: (error: unknown) => void) {
      resolve(3);
      reject(failure);
      throw failure;
    },
  };
  await Switch.run(async (sw) => {
    const given = [new Sub((resolve) => resolve(1)), thenable, twice] as Promise<number>[];
    assertEquals(await Promise.all(given.map((one) => sw.forkPromise(() => one))), [1, 2, 3]);
  });
});

test("Switch.forkPromise() rejects with what asking for then, or for a constructor, throws", async () => {
  const getter = { get: () => throwNow(failure) };
  const thenable = Object.defineProperty({}, "then", getter);
  const promise = Object.defineProperty(Promise.resolve(), "constructor", getter);
  await Switch.run(async (sw) => {
    for (const hostile of [thenable, promise]) {
      assertStrictEquals(await rejectionOf(sw.forkPromise(() => hostile)), failure);
    }
  });
});

function throwNow(error: unknown): never {
  throw error;
}
