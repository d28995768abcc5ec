// Copyright 2026 the Sluice authors. MIT license.

import { connect, createServer } from "node:net";
import {
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  any,
  awaitCancel,
  Cancelled,
  checkCancelled,
  currentSignal,
  first,
  isCancelled,
  protect,
  Switch,
  withTimeout,
  yieldNow,
} from "../../switch/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import { openCounts } from "../../base/_counter.ts";
import { inCancelledScope, turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { failure, rejectionOf } from "./_helpers.ts";

test("awaitCancel() waits until cancelled", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    sw.fork(async () => log.push(await rejectionOf(awaitCancel())));
    await yieldNow();
    log.push("still waiting");
    sw.fail(failure);
  }));
  assertEquals(log[0], "still waiting");
  assertInstanceOf(log[1], Cancelled);
  assertStrictEquals(log[1].cause, failure);
});

test("awaitCancel() rejects at once in a cancelled scope", async () => {
  assertInstanceOf(await inCancelledScope(() => rejectionOf(awaitCancel())), Cancelled);
});

test("A cancelled operation that is not awaited is not an unhandled rejection", async () => {
  await rejectionOf(Switch.run((sw) => {
    awaitCancel();
    yieldNow();
    sw.fail(failure);
    awaitCancel();
    yieldNow();
  }));
  await turn();
});

test("yieldNow() lets everything else run first, timers too", async () => {
  const log: string[] = [];
  setTimeout(() => log.push("timer"), 0);
  Promise.resolve().then(() => log.push("microtask"));
  await yieldNow();
  assertEquals(log[0], "microtask");
  while (!log.includes("timer")) await yieldNow();
});

test("yieldNow() is cancelled while it waits", async () => {
  let seen: unknown;
  await rejectionOf(Switch.run((sw) => {
    sw.fork(async () => seen = await rejectionOf(yieldNow()));
    sw.fail(failure);
  }));
  assertInstanceOf(seen, Cancelled);
});

test("An endlessly yielding fiber does not starve sockets", async () => {
  const server = createServer((socket) => socket.pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const echo = new Promise<string>((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("hello"));
    socket.on("data", (data) => {
      socket.destroy();
      resolve(String(data));
    });
    socket.on("error", reject);
  });
  const answer = await first(() => echo, async () => {
    for (;;) await yieldNow();
  });
  await new Promise((resolve) => server.close(resolve));
  assertEquals(answer, "hello");
});

test("checkCancelled() throws the Cancelled of a cancelled scope, and nothing elsewhere", async () => {
  checkCancelled();
  await Switch.run(() => checkCancelled());
  const error = await inCancelledScope(() => assertThrows(checkCancelled, Cancelled), failure);
  assertStrictEquals(error.cause, failure);
});

test("isCancelled() tells whether the scope is cancelled", async () => {
  assertEquals(isCancelled(), false);
  assertEquals(await Switch.run(isCancelled), false);
  assertEquals(await inCancelledScope(isCancelled), true);
});

test("currentSignal() is aborted with the Cancelled in the turn of the cancellation", async () => {
  const seen: unknown[] = [];
  await rejectionOf(Switch.run((sw) => {
    sw.fork(async () => {
      const signal = currentSignal();
      signal.addEventListener("abort", () => seen.push("listener"));
      await rejectionOf(awaitCancel());
      seen.push(signal.reason === sw.signal.reason, (signal.reason as Cancelled).cause);
    });
    sw.fail(failure);
    seen.push("after");
  }));
  assertEquals(seen, ["listener", "after", true, failure]);
});

test("currentSignal() is aborted already in a cancelled scope", async () => {
  const signal = await inCancelledScope(currentSignal);
  assertEquals(signal.aborted, true);
  assertInstanceOf(signal.reason, Cancelled);
});

test("currentSignal() of a branch that lost is aborted, that of its caller is not", async () => {
  const signals: AbortSignal[] = [];
  await Switch.run(async () => {
    signals.push(currentSignal());
    await first(() => {
      signals.push(currentSignal());
      return awaitCancel();
    }, () => 1);
  });
  assertEquals(signals.map(({ aborted }) => aborted), [false, true]);
});

test("currentSignal() is not aborted once its scope has ended", async () => {
  const signals: AbortSignal[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    await Switch.run(() => signals.push(currentSignal()));
    sw.fail(failure);
    signals.push(currentSignal());
  }));
  assertEquals(signals.map(({ aborted }) => aborted), [false, true]);
});

test("protect() completes and delivers its value although its scope is cancelled, and the next check throws", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    const value = await protect(async () => {
      sw.fail(failure);
      log.push(isCancelled(), currentSignal().aborted);
      await yieldNow();
      return "committed";
    });
    log.push(value);
    checkCancelled();
    log.push("not reached");
  }));
  assertEquals(log, [false, false, "committed"]);
});

test("protect() starts in a cancelled scope", async () => {
  const value = await inCancelledScope(() =>
    protect(async () => {
      await yieldNow();
      return "value";
    })
  );
  assertEquals(value, "value");
});

test("protect() throws what the function throws", async () => {
  assertStrictEquals(await rejectionOf(protect(() => Promise.reject(failure))), failure);
  const now = protect(() => {
    throw failure;
  });
  assertStrictEquals(await rejectionOf(now), failure);
});

test("protect() shields nested scopes, which can still be cancelled from inside", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    await protect(async () => {
      sw.fail(failure);
      log.push(await first(awaitCancel, yieldNow));
      log.push(await rejectionOf(Switch.run((inner) => inner.fail("inner"))));
    });
  }));
  assertEquals(log, [undefined, "inner"]);
});

test("protect() rejects anything but a function with TypeError", async () => {
  await assertRejects(() => protect(1 as never), TypeError, "Cannot protect: 1 is not a function");
});

test("Outside any switch everything works and nothing is cancelled", async () => {
  checkCancelled();
  await yieldNow();
  assertEquals([isCancelled(), currentSignal().aborted, await protect(() => 1)], [false, false, 1]);
});

test("A cancelled switch leaves no operation open", async () => {
  let before: unknown;
  await rejectionOf(Switch.run((sw) => {
    for (let i = 0; i < 100; i++) sw.fork(i % 2 === 0 ? awaitCancel : yieldNow);
    before = openCounts().operations;
    sw.fail(failure);
  }));
  assertEquals([before, openCounts().operations], [100, 0]);
});

test("A cancellation reaches the bottom of a deep tree", async () => {
  const bottom = 20_000;
  let depth = 0;
  let seen: unknown;
  const descend = async (): Promise<unknown> => {
    if (++depth === bottom) return seen = await rejectionOf(awaitCancel());
    if (depth % 100 === 0) await yieldNow(); // limits the depth of the call stack
    return await Switch.run(descend);
  };
  await rejectionOf(Switch.run(async (sw) => {
    sw.fork(descend);
    while (depth < bottom) await yieldNow();
    sw.fail(failure);
  }));
  assertInstanceOf(seen, Cancelled);
});

test("currentSignal() of a branch that won is not aborted: what it gave may depend on it", async () => {
  const race = [() => Promise.resolve(currentSignal()), awaitCancel];
  const timed = withTimeout(systemClock, 1000, () => currentSignal());
  const signals = [await first(race[0], race[1]), await any(race), await timed];
  assertEquals(signals.map(({ aborted }) => aborted), [false, false, false]);
});

test("The Cancelled of a loser has the usual message, and can be annotated", async () => {
  let seen!: Cancelled & { note?: string };
  await first(async () => seen = await rejectionOf(awaitCancel()) as Cancelled, yieldNow);
  assertInstanceOf(seen, Cancelled);
  assertEquals([seen.name, seen.message], [
    "Cancelled",
    "Operation was cancelled: Its result is no longer needed",
  ]);
  assertInstanceOf(seen.cause, Error);
  assertStringIncludes(String(seen.stack), seen.message);
  seen.message = "mine";
  seen.stack = "my own";
  assertEquals(String(seen), "Cancelled: mine");
  let other!: Cancelled;
  await first(async () => other = await rejectionOf(awaitCancel()) as Cancelled, yieldNow);
  assertNotEquals(other.message, seen.message);
  assertNotEquals(other.stack, seen.stack);
});
