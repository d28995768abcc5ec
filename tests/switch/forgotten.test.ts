// Copyright 2026 the Sluice authors. MIT license.

/** Calls and operations that are not awaited. */
import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  all,
  any,
  awaitCancel,
  both,
  Cancelled,
  filterFibers,
  first,
  forEachFiber,
  interruptible,
  mapFibers,
  MultipleErrors,
  nAny,
  protect,
  Semaphore,
  Switch,
  withTimeout,
  yieldNow,
} from "../../switch/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import { chunks, copyString, fromIterable, pipe, type Source, toReadableStream } from "../../flow/mod.ts";
import { turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { failure, failuresOf, rejectionOf, throwing } from "./_helpers.ts";

/** Makes a call without awaiting it, and ignores its rejection. */
function forget(call: Promise<unknown>): void {
  call.catch(() => {});
}

const calls: Record<string, (fn: () => Promise<unknown>) => Promise<unknown>> = {
  "a Switch.run": (fn) => Switch.run(fn),
  'a Switch.run "upload"': (fn) => Switch.run(fn, { name: "upload" }),
  "an all": (fn) => all([fn]),
  "a both": (fn) => both(fn, fn),
  "an any": (fn) => any([fn]),
  "a first": (fn) => first(fn, awaitCancel),
  "an nAny": (fn) => nAny([fn]),
  "a mapFibers": (fn) => mapFibers([1], fn),
  "a filterFibers": (fn) => filterFibers([1], async () => Boolean(await fn())),
  "a forEachFiber": (fn) => forEachFiber([1], fn),
  "a withTimeout": (fn) => withTimeout(systemClock, 60_000, fn),
};

for (const [name, call] of Object.entries(calls)) {
  test(`Switch.run() cancels and reports ${name} that was not awaited`, async () => {
    const log: unknown[] = [];
    const running = Switch.run((sw) => {
      sw.onRelease(() => log.push("hook"));
      forget(call(() => awaitCancel().finally(() => log.push("ended"))));
    });
    assertEquals((await rejectionOf(running) as Error).message, `Cannot end a switch: ${name} was not awaited`);
    assertEquals([log.at(0), log.at(-1)], ["ended", "hook"]);
  });
}

for (const [name, call] of Object.entries({ protect, "Switch.runProtected": Switch.runProtected })) {
  test(`Switch.run() awaits and reports a ${name} that was not awaited, and does not cancel it`, async () => {
    const log: unknown[] = [];
    const running = Switch.run((sw) => {
      sw.onRelease(() => log.push("hook"));
      forget(call(async () => {
        for (let i = 0; i < 3; i++) await yieldNow();
        log.push("ended");
      }));
    });
    assertEquals((await rejectionOf(running) as Error).message, `Cannot end a switch: a ${name} was not awaited`);
    assertEquals(log, ["ended", "hook"]);
  });
}

test("Switch.run() reports several calls that were not awaited in one short error", async () => {
  const error = await rejectionOf(Switch.run(() => {
    for (let i = 0; i < 1000; i++) forget(Switch.run(awaitCancel, { name: `${i}` }));
  }, { name: "batch" }));
  assertEquals(
    (error as Error).message,
    'Cannot end a switch "batch": a Switch.run "0", a Switch.run "1", a Switch.run "2" and 997 more were not awaited',
  );
});

test("Switch.run() cuts and escapes the names in its report", async () => {
  const { message } = await rejectionOf(
    Switch.run(() => forget(Switch.run(awaitCancel, { name: "\n\x1b[31m".repeat(1_000_000) }))),
  ) as Error;
  assert(message.length < 1000 && !/\p{Cc}/u.test(message), message);
});

test("Switch.run() does not report a call that was not awaited and ended in time", async () => {
  assertEquals(
    await Switch.run((sw) => {
      forget(Switch.run(yieldNow));
      forget(Switch.run(() => Promise.reject(failure)));
      sw.fork(async () => {
        for (let i = 0; i < 5; i++) await yieldNow();
      });
      return 1;
    }),
    1,
  );
});

test("Switch.run() does not report a call of its main function that a fiber awaits", async () => {
  await Switch.run((sw) => {
    const call = all([yieldNow, yieldNow]);
    sw.fork(() => call);
  });
});

test("Switch.run() awaits a slow call that was not awaited", async () => {
  let ended = false;
  await rejectionOf(Switch.run(() =>
    forget(Switch.run(async () => {
      await awaitCancel().catch(() => {});
      for (let i = 0; i < 3; i++) await turn();
      ended = true;
    }))
  ));
  assert(ended);
});

test("Switch.run() adds what a call that was not awaited throws when it is cancelled", async () => {
  const failures = await failuresOf(Switch.run(() => forget(Switch.run(() => throwing(failure, awaitCancel)))));
  assertEquals(failures.map(String), ["Error: Cannot end a switch: a Switch.run was not awaited", String(failure)]);
});

test("Switch.run() that fails ends what was not awaited without a word", async () => {
  const log: unknown[] = [];
  const error = await rejectionOf(Switch.run(() => {
    forget(Switch.run(() => awaitCancel().finally(() => log.push("ended"))));
    throw failure;
  }));
  log.push("failed");
  assertStrictEquals(error, failure);
  assertEquals(log, ["ended", "failed"]);
});

test("Switch.run() that fails adds what fails in a call that was not awaited", async () => {
  const other = new Error("Cannot clean up");
  const failures = await failuresOf(Switch.run(() => {
    forget(Switch.run(() => throwing(other, awaitCancel)));
    throw failure;
  }));
  assertEquals(failures, [failure, other]);
});

test("Switch.run() that was cancelled awaits what was not, and returns its value", async () => {
  const log: unknown[] = [];
  const error = await rejectionOf(Switch.run(async (outer) => {
    const value = await Switch.run(() => {
      forget(Switch.run(() => awaitCancel().finally(() => log.push("ended"))));
      outer.fail(failure);
      return "value";
    });
    log.push(value);
  }));
  assertStrictEquals(error, failure);
  assertEquals(log, ["ended", "value"]);
});

test("Switch.run() reports a call that was not awaited in one that was not awaited", async () => {
  const failures = await failuresOf(Switch.run(() =>
    forget(Switch.run(async () => {
      await yieldNow().catch(() => {});
      forget(Switch.runProtected(() => turn(), { name: "inner" }));
    }, { name: "outer" }))
  ));
  assertEquals(failures.map(String), ['Error: Cannot end a switch: a Switch.run "outer" was not awaited']);
});

test("Code that starts a call again whenever that is cancelled does not keep its switch", async () => {
  let starts = 0;
  let ended = false;
  const error = await rejectionOf(Switch.run((sw) => {
    sw.fork(() => {
      forget((async () => {
        while (!ended) await Switch.run(() => (starts++, yieldNow())).catch(() => {});
      })());
    });
  }));
  ended = true;
  assertEquals((error as Error).message, "Cannot end a fiber: a Switch.run was not awaited");
  assert(starts < 5, `${starts} starts`);
});

for (const kind of ["fork", "forkPromise", "forkDaemon"] as const) {
  test(`${kind}() ends and reports a call in its fiber that was not awaited when the fiber ends`, async () => {
    const log: string[] = [];
    const name = kind === "forkDaemon" ? "daemon" : "fiber";
    const expected = `Cannot end a ${name}: a Switch.run was not awaited`;
    const failures = await failuresOf(Switch.run(async (sw) => {
      const forked: Promise<unknown> | void = sw[kind](() => {
        forget(Switch.run(() => awaitCancel().finally(() => log.push("ended"))));
      });
      await protect(async () => {
        for (let i = 0; i < 3; i++) await yieldNow();
      });
      log.push("main goes on");
      if (forked !== undefined) log.push((await rejectionOf(forked) as Error).message);
      throw failure;
    }));
    const reports = failures.map((error) => (error as Error).message);
    assertEquals(log.slice(0, 2), ["ended", "main goes on"]);
    assertEquals([...reports, ...log.slice(2)].sort(), [expected, failure.message].sort());
  });
}

test("fork() throws what its function threw, and ends what was not awaited in it", async () => {
  let ended = false;
  const error = await rejectionOf(Switch.run((sw) =>
    sw.fork(() => {
      forget(Switch.run(() => awaitCancel().finally(() => ended = true)));
      throw failure;
    })
  ));
  assertStrictEquals(error, failure);
  assert(ended);
});

test("all() fails with a branch that forgot a call", async () => {
  const error = await rejectionOf(all([() => forget(Switch.run(awaitCancel)), awaitCancel]));
  assertEquals((error as Error).message, "Cannot end a fiber: a Switch.run was not awaited");
});

test("any() ignores the value of a branch with a call that it did not await", async () => {
  const error = await rejectionOf(any([() => (forget(Switch.run(awaitCancel)), 1), awaitCancel]));
  assertEquals((error as Error).message, "Cannot end a fiber: a Switch.run was not awaited");
});

test("any() awaits what a loser forgot", async () => {
  let ended = false;
  const value = await any<unknown>([
    () => {
      forget(Switch.run(() => awaitCancel().catch(turn).finally(() => ended = true)));
      return awaitCancel();
    },
    () => Promise.resolve(1),
  ]);
  assertEquals([value, ended], [1, true]);
});

test("protect() ends and reports a call in it that was not awaited", async () => {
  const error = await rejectionOf(protect(() => forget(Switch.run(awaitCancel))));
  assertEquals((error as Error).message, "Cannot end a protect: a Switch.run was not awaited");
});

test("protect() throws what its function threw, and ends what was not awaited in it", async () => {
  let ended = false;
  const error = await rejectionOf(protect(() => {
    forget(Switch.run(() => awaitCancel().finally(() => ended = true)));
    throw failure;
  }));
  assertStrictEquals(error, failure);
  assert(ended);
});

test("A release hook that forgets a call fails its switch, and the next hook waits for it", async () => {
  const log: string[] = [];
  const error = await rejectionOf(Switch.run((sw) => {
    sw.onRelease(() => yieldNow().then(() => log.push("other hook")));
    sw.onRelease(() => forget(Switch.run(() => awaitCancel().catch(turn).finally(() => log.push("ended")))));
  }));
  assertEquals((error as Error).message, "Cannot end a release hook: a Switch.run was not awaited");
  assertEquals(log, ["ended", "other hook"]);
});

test("A release hook that is registered too late and forgets a call fails the caller's switch", async () => {
  const finished = await Switch.run((sw) => sw);
  const error = await rejectionOf(Switch.run(() => {
    try {
      finished.onRelease(() => forget(Switch.run(awaitCancel)));
    } catch (problem) {
      assertInstanceOf(problem, TypeError);
    }
  }));
  assertEquals((error as Error).message, "Cannot end a release hook: a Switch.run was not awaited");
});

const operations: Record<string, () => Promise<unknown>> = {
  awaitCancel,
  yieldNow,
  sleep: () => systemClock.sleep(60_000),
  interruptible: () => interruptible(new Promise(() => {})),
  acquire: () => new Semaphore(0).acquire(),
};

for (const [name, begin] of Object.entries(operations)) {
  for (const where of ["switch", "fiber", "branch", "release hook", "protect"] as const) {
    test(`${name}() that was not awaited is cancelled with its ${where}, without a report`, async () => {
      let operation!: Promise<unknown>;
      const start = () => void (operation = begin());
      await Switch.run(async (sw) => {
        if (where === "switch") start();
        else if (where === "fiber") sw.fork(start);
        else if (where === "release hook") sw.onRelease(start);
        else await (where === "branch" ? all([start]) : protect(start));
      });
      assertInstanceOf(await rejectionOf(operation), Cancelled);
    });
  }
}

test("An operation that was not awaited does not outlive the fiber that began it", async () => {
  let operation!: Promise<unknown>;
  await Switch.run(async (sw) => {
    sw.fork(() => void (operation = rejectionOf(systemClock.sleep(60_000))));
    assertInstanceOf(await operation, Cancelled);
  });
});

test("Code that continues in a finished fiber is governed by the switch", async () => {
  const seen: unknown[] = [];
  const error = await rejectionOf(Switch.run(async (sw) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let stray!: Promise<unknown>;
    sw.fork(() => void (stray = released.then(async () => seen.push(await rejectionOf(awaitCancel())))));
    await yieldNow();
    release();
    await yieldNow();
    sw.fail(failure);
    await protect(() => stray);
  }));
  assertStrictEquals(error, failure);
  assertInstanceOf(seen[0], Cancelled);
});

const readerOf = (source: Source) => toReadableStream(source).getReader();

test("A stream that was made in a fiber outlives it, with the read that is pending", async () => {
  const [a, b] = pipe();
  await Switch.run(async (sw) => {
    let source!: Source;
    let reader!: ReturnType<typeof readerOf>;
    sw.fork(() => {
      source = fromIterable(chunks(a));
      reader = readerOf(b);
    });
    const reading = all([() => source.read(new Uint8Array(9)), () => reader.read()]);
    for (let i = 0; i < 3; i++) await yieldNow();
    await copyString("hello", b);
    await copyString("hello", a);
    const [size, { value }] = await reading;
    assertEquals([size, value?.length], [5, 5]);
    await reader.cancel();
  });
});

test("A read that is pending when its fiber ends is cancelled, and consumes nothing", async () => {
  const [a, b] = pipe();
  await Switch.run(async (sw) => {
    let reading!: Promise<number | null>;
    sw.fork(() => void (reading = a.read(new Uint8Array(9))));
    assertInstanceOf(await rejectionOf(reading), Cancelled);
    await copyString("hello", b);
    assertEquals(await a.read(new Uint8Array(9)), 5);
  });
});

test("A forgotten call fails only the switch around it", async () => {
  const error = await rejectionOf(Switch.run(async (outer) => {
    const inner = await rejectionOf(Switch.run(() => forget(Switch.run(awaitCancel)), { name: "inner" }));
    assertEquals((inner as Error).message, 'Cannot end a switch "inner": a Switch.run was not awaited');
    outer.check();
    throw failure;
  }));
  assertStrictEquals(error, failure);
  assert(!(error instanceof MultipleErrors));
});
