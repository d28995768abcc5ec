// Copyright 2026 the Sluice authors. MIT license.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import process from "node:process";
import {
  awaitCancel,
  Cancelled,
  type Clock,
  isCancelled,
  protect,
  Switch,
  TimeoutError,
  withTimeout,
  yieldNow,
} from "../../switch/mod.ts";
import { mockClock } from "../../net/testing/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import { openCounts } from "../../base/_counter.ts";
import { test } from "../_test.ts";
import { failure, failuresOf, rejectionOf, throwing } from "./_helpers.ts";

test("withTimeout() returns the function's result, and clears the timer", async () => {
  const clock = mockClock();
  assertEquals(await withTimeout(clock, 10, () => 1), 1);
  assertEquals(await withTimeout(clock, 10, () => Promise.resolve()), undefined);
  assertEquals(clock.tryAdvance(), false);
});

test("withTimeout() throws what the function throws", async () => {
  const clock = mockClock();
  assertStrictEquals(await rejectionOf(withTimeout(clock, 10, () => Promise.reject(failure))), failure);
  assertEquals(clock.tryAdvance(), false);
});

test("withTimeout() throws TimeoutError when the time is up", async () => {
  const clock = mockClock();
  const timed = assertRejects(() => withTimeout(clock, 10, awaitCancel), TimeoutError);
  clock.advance();
  const error = await timed;
  assertEquals([error.name, error.ms, clock.now()], ["TimeoutError", 10, 10]);
  assertEquals(error.message, "Cannot finish the operation within 10 ms");
});

test("withTimeout() cancels the function and awaits it", async () => {
  const clock = mockClock();
  const log: unknown[] = [];
  const timed = rejectionOf(withTimeout(clock, 10, async () => {
    const error = await rejectionOf(awaitCancel());
    log.push(isCancelled(), (error as Cancelled).cause instanceof TimeoutError);
    await protect(yieldNow);
    log.push("awaited");
    throw error;
  }));
  clock.advance();
  assertInstanceOf(await timed, TimeoutError);
  assertEquals(log, [true, true, "awaited"]);
});

test("withTimeout() returns a value that the function returns although its time was over", async () => {
  const clock = mockClock();
  const timed = withTimeout(clock, 10, async () => {
    await rejectionOf(awaitCancel());
    return "value";
  });
  clock.advance();
  assertEquals(await timed, "value");
});

test("withTimeout() returns a value that is ready in the same turn as the timer", async () => {
  for (const valueFirst of [true, false]) {
    const clock = mockClock();
    const { promise, resolve } = Promise.withResolvers<string>();
    const timed = withTimeout(clock, 10, () => promise);
    if (valueFirst) resolve("value");
    clock.advance();
    resolve("value");
    assertEquals(await timed, "value");
  }
});

test("withTimeout() throws the timeout and what the function threw on its way out", async () => {
  const clock = mockClock();
  const timed = failuresOf(withTimeout(clock, 10, () => throwing(failure, awaitCancel)));
  clock.advance();
  const [timeout, other, ...rest] = await timed;
  assertInstanceOf(timeout, TimeoutError);
  assertEquals([other, rest], [failure, []]);
});

test("withTimeout() of 0 ms still returns a value that needs no waiting", async () => {
  for (const ms of [0, -1, NaN]) {
    assertEquals(await withTimeout(mockClock(), ms, () => Promise.resolve(1)), 1);
    await assertRejects(() => withTimeout(mockClock(), ms, awaitCancel), TimeoutError);
  }
});

test("withTimeout() of Infinity never times out", async () => {
  const clock = mockClock();
  const value = await withTimeout(clock, Infinity, async () => {
    assertEquals(clock.tryAdvance(), false);
    await yieldNow();
    return 1;
  });
  assertEquals(value, 1);
});

test("withTimeout() on the real clock times out after a fraction of a millisecond", async () => {
  await assertRejects(() => withTimeout(systemClock, 0.1, awaitCancel), TimeoutError);
});

test("withTimeout() does not cancel its caller", async () => {
  await Switch.run(async () => {
    await rejectionOf(withTimeout(mockClock(), 0, awaitCancel));
    assertEquals(isCancelled(), false);
  });
});

test("withTimeout() rejects with Cancelled when its caller is cancelled", async () => {
  const clock = mockClock();
  let seen: unknown;
  await rejectionOf(Switch.run((sw) => {
    sw.fork(async () => seen = await rejectionOf(withTimeout(clock, 10, awaitCancel)));
    sw.fail(failure);
  }));
  assertInstanceOf(seen, Cancelled);
  assertEquals([seen.cause, clock.tryAdvance()], [failure, false]);
});

test("withTimeout() starts nothing in a cancelled scope", async () => {
  const log: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail(failure);
    log.push(await rejectionOf(withTimeout(mockClock(), 10, () => log.push("started"))) instanceof Cancelled);
  }));
  assertEquals(log, [true]);
});

test("withTimeout() can be nested, and the shorter time decides", async () => {
  const clock = mockClock();
  const timed = rejectionOf(withTimeout(clock, 10, () => withTimeout(clock, 20, awaitCancel)));
  clock.advance();
  const error = await timed;
  assertInstanceOf(error, TimeoutError);
  assertEquals(error.ms, 10);
});

test("withTimeout() rejects bad arguments with TypeError and starts nothing", async () => {
  let started = false;
  const start = () => started = true;
  await assertRejects(() => withTimeout(mockClock(), "1" as never, start), TypeError, "Cannot set a timeout");
  await assertRejects(() => withTimeout(mockClock(), 1, 1 as never), TypeError, "1 is not a function");
  assertEquals(started, false);
});

test("withTimeout() rejects with Cancelled when its caller is cancelled in the turn of the timer", async () => {
  const clock = mockClock();
  let seen: unknown;
  await rejectionOf(Switch.run((sw) => {
    sw.fork(async () => seen = await rejectionOf(withTimeout(clock, 10, awaitCancel)));
    clock.advance();
    sw.fail(failure);
  }));
  assertInstanceOf(seen, Cancelled);
});

test("withTimeout() throws only what the function threw before the timer", async () => {
  const clock = mockClock();
  const { promise, reject } = Promise.withResolvers<never>();
  const timed = rejectionOf(withTimeout(clock, 10, () => promise));
  reject(failure);
  clock.advance();
  assertStrictEquals(await timed, failure);
});

test("withTimeout() throws what its clock throws, although there is a value", async () => {
  const clock = { ...mockClock(), sleep: () => throwing(failure, awaitCancel) };
  assertStrictEquals(await rejectionOf(withTimeout(clock, 10, () => 1)), failure);
});

test("withTimeout() on the real clock clears its timer when its caller is cancelled, and when the function fails", async () => {
  await rejectionOf(Switch.run(async (sw) => {
    for (const ms of [1000, Infinity, 0]) sw.fork(() => withTimeout(systemClock, ms, awaitCancel));
    assertEquals(openCounts().timers, 2);
    await assertRejects(() => withTimeout(systemClock, 1000, () => Promise.reject(failure)), Error, failure.message);
    assertEquals(openCounts().timers, 2);
    sw.fail(failure);
    assertEquals(openCounts().timers, 0);
  }));
});

test("withTimeout() of 0 ms on the real clock still returns a value that needs no waiting", async () => {
  for (const ms of [0, -1, NaN]) {
    assertEquals(await withTimeout(systemClock, ms, () => Promise.resolve(1)), 1);
    await assertRejects(() => withTimeout(systemClock, ms, awaitCancel), TimeoutError);
  }
});

test("withTimeout() on the real clock returns a value that the function returns although its time was over", async () => {
  const value = await withTimeout(systemClock, 1, async () => {
    await rejectionOf(awaitCancel());
    return 1;
  });
  assertEquals(value, 1);
});

test("withTimeout() names in its error what did not finish, cut and on one line", async () => {
  const clock = mockClock();
  const messages: string[] = [];
  for (const name of ["GET /users", "\n\x1b[31m".repeat(1_000_000)]) {
    const timed = rejectionOf(withTimeout(clock, 500, awaitCancel, { name }));
    clock.advance();
    messages.push((await timed as Error).message);
  }
  assertEquals(messages[0], "Cannot finish GET /users within 500 ms");
  assert(messages[1].length < 1000 && !/\p{Cc}/u.test(messages[1]));
});

/** Only V8 adds the frames of awaiting functions to a stack. */
const isV8 = process.versions.v8 !== undefined && process.versions.bun === undefined;

test("withTimeout() and a signal of Switch.run() throw errors with frames of the caller, where the engine can", async () => {
  async function callerOfTimeout(): Promise<void> {
    await withTimeout(systemClock, 1, awaitCancel);
  }
  async function callerOfSwitch(): Promise<void> {
    await Switch.run(awaitCancel, { signal: AbortSignal.timeout(1) });
  }
  for (const caller of [callerOfTimeout, callerOfSwitch]) {
    const { stack } = await rejectionOf(caller()) as Error;
    if (isV8) assertStringIncludes(stack ?? "", caller.name);
  }
});

test("withTimeout() and Switch.run() throw the very error that cancelled what they ran", async () => {
  const seen: unknown[] = [];
  const fn = () => awaitCancel().catch((error) => Promise.reject(seen.push(error) && error));
  const timeout = await rejectionOf(withTimeout(systemClock, 1, fn));
  const cancelled = await rejectionOf(Switch.run(fn, { signal: AbortSignal.timeout(1) }));
  assertStrictEquals((seen[0] as Cancelled).cause, timeout);
  assertStrictEquals(seen[1], cancelled);
});

const notClocks: [value: unknown, text: string][] = [
  [{ clock: systemClock }, "an object is not a Clock, so pass its clock"],
  [1000, "1000 is not a Clock"],
  [undefined, "undefined is not a Clock"],
];

for (const [clock, text] of notClocks) {
  test(`withTimeout() refuses anything but a clock: ${text}`, async () => {
    const timed = () => withTimeout(clock as Clock, 1, awaitCancel);
    await assertRejects(timed, TypeError, `Cannot set a timeout: ${text}`);
  });
}

test("withTimeout() refuses invalid options, and a name that is not a string", async () => {
  const text = "options must be an object: current value is 5";
  await assertRejects(() => withTimeout(systemClock, 1, awaitCancel, 5 as never), TypeError, text);
  const name = "name must be a string: current value is 5";
  await assertRejects(() => withTimeout(systemClock, 1, awaitCancel, { name: 5 as never }), TypeError, name);
});
