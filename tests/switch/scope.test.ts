// Copyright 2026 the Sluice authors. MIT license.

/**
 * The scope in which code runs, and the effect of a cancelled scope on code that continues in it.
 */
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  all,
  awaitCancel,
  Cancelled,
  currentSignal,
  first,
  interruptible,
  isCancelled,
  mapFibers,
  protect,
  Semaphore,
  Switch,
  withTimeout,
  yieldNow,
} from "../../switch/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import { openCounts } from "../../base/_counter.ts";
import { turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { failure, rejectionOf } from "./_helpers.ts";

test("Code that carries the context of a finished switch is governed by the nearest live ancestor", async () => {
  const seen: unknown[] = [];
  await rejectionOf(Switch.run(async (outer) => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let stray!: Promise<void>;
    await rejectionOf(Switch.run((middle) =>
      Switch.run((inner) => {
        stray = (async () => {
          await released;
          seen.push(isCancelled(), currentSignal().aborted);
          await yieldNow(); // not cancelled: the cancelled switches have ended
          outer.fail(failure);
          seen.push(isCancelled(), currentSignal().aborted, await rejectionOf(yieldNow()) instanceof Cancelled);
        })();
        middle.fail("middle");
        inner.fail("inner");
      })
    ));
    release();
    await protect(() => stray);
  }));
  assertEquals(seen, [false, false, true, true, true]);
});

test("An operation that is not awaited is cancelled when its switch ends, without a report", async () => {
  let stray!: Promise<unknown>;
  assertEquals(
    await Switch.run(() => {
      stray = awaitCancel();
      return 1;
    }),
    1,
  );
  assertInstanceOf(await rejectionOf(stray), Cancelled);
});

test("What ends in a switch leaves nothing in it", async () => {
  const finished = await Switch.run((sw) => sw);
  await Switch.run(async (outer) => {
    await Switch.run((sw) => {
      sw.forkDaemon(awaitCancel);
      sw.fork(() => first(awaitCancel, yieldNow));
      sw.onRelease(() => protect(yieldNow));
    });
    await withTimeout(systemClock, 60_000, () => all([yieldNow, yieldNow]));
    await mapFibers([1, 2], yieldNow, { maxFibers: 1 });
    for (const hook of [() => {}, yieldNow, () => Promise.reject(failure).catch(() => {})]) {
      assertThrows(() => finished.onRelease(hook), TypeError);
    }
    await yieldNow();
    await yieldNow();
    assertEquals(outer.dump(), "switch");
  });
});

test("A cancellation wakes what waits in the order in which it began to", async () => {
  const log: string[] = [];
  await rejectionOf(Switch.run((sw) => {
    for (const name of ["a", "b", "c"]) sw.fork(() => rejectionOf(awaitCancel()).then(() => log.push(name)));
    sw.fail(failure);
  }));
  assertEquals(log, ["a", "b", "c"]);
});

test("A cancellation marks everything before it runs any listener", async () => {
  const seen: boolean[] = [];
  await rejectionOf(Switch.run((sw) => {
    const signals: AbortSignal[] = [];
    for (let i = 0; i < 3; i++) {
      sw.fork(() => {
        const signal = currentSignal();
        signals.push(signal);
        signal.addEventListener("abort", () => seen.push(isCancelled()));
        return awaitCancel();
      });
    }
    sw.fail(failure);
    seen.push(...signals.map(({ aborted }) => aborted));
  }));
  assertEquals(seen, [true, true, true, true, true, true]);
});

test("A listener that runs while a switch is cancelled starts nothing in it", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run((sw) => {
    sw.signal.addEventListener("abort", () => {
      sw.fork(() => log.push("fiber"));
      sw.forkDaemon(() => log.push("daemon"));
      sw.onRelease(() => log.push("hook"));
    });
    sw.fail(failure);
  }));
  assertEquals(log, ["hook"]);
});

test("A cancellation does not reach siblings and parents", async () => {
  const seen = await Switch.run(async (outer) => {
    const sibling = outer.forkPromise(async () => {
      await yieldNow();
      return isCancelled();
    });
    await rejectionOf(Switch.run((sw) => sw.fail(failure)));
    return [await sibling, isCancelled()];
  });
  assertEquals(seen, [false, false]);
});

const swallowed: [string, () => Promise<unknown>][] = [
  ["awaitCancel", () => awaitCancel()],
  ["yieldNow", () => yieldNow()],
  ["sleep", () => systemClock.sleep(1)],
  ["sleepUntil", () => systemClock.sleepUntil(0)],
  ["interruptible", () => interruptible(Promise.resolve())],
  ["acquire", () => new Semaphore(1).acquire()],
  ["Switch.run", () => Switch.run(() => {})],
  ["all", () => all([() => {}])],
  ["first", () => first(() => {}, () => {})],
  ["mapFibers", () => mapFibers([1], () => {})],
  ["withTimeout", () => withTimeout(systemClock, 1, () => {})],
];

for (const [name, operation] of swallowed) {
  test(`A loop that swallows the refusals of ${name} does not starve timers`, async () => {
    let over = false;
    setTimeout(() => over = true, 2);
    let refusals = 0;
    await rejectionOf(Switch.run(async (sw) => {
      sw.fail(failure);
      while (!over) {
        await rejectionOf(operation());
        refusals++;
      }
    }));
    assert(refusals >= 1);
  });
}

test("A loop that swallows the refusals of Switch.forkPromise() does not starve timers", async () => {
  let over = false;
  setTimeout(() => over = true, 2);
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    while (!over) await rejectionOf(sw.forkPromise(() => {}));
  }));
});

test("A refusal waits for the event loop at least every 64th time", async () => {
  let turns = 0;
  let seen = 0;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setTimeout(count, 0);
    };
    setTimeout(count, 0);
    for (let i = 0; i < 64; i++) await rejectionOf(yieldNow());
    await turn();
    counting = false;
    seen = turns;
  }));
  await turn();
  assert(seen >= 1);
});

test("Nothing stays open after a storm of cancellations", async () => {
  for (let i = 0; i < 200; i++) {
    await rejectionOf(Switch.run(async (sw) => {
      const semaphore = new Semaphore(1);
      sw.fork(() => first(() => systemClock.sleep(1000), () => withTimeout(systemClock, 500, awaitCancel)));
      sw.forkDaemon(() => all([awaitCancel, () => semaphore.acquire(), () => semaphore.acquire()]));
      sw.forkPromise(() => protect(yieldNow));
      sw.onRelease(() => first(yieldNow, awaitCancel));
      if (i % 2 === 0) await yieldNow();
      sw.fail(failure);
    }));
  }
  assertEquals(openCounts(), { fibers: 0, operations: 0, timers: 0, sockets: 0, listeners: 0 });
});
