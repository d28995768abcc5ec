// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import { awaitCancel, Cancelled, retry, type RetryPolicy, Switch } from "../../switch/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import { random, useRandom } from "../../base/_random.ts";
import { mockClock } from "../../net/testing/mod.ts";
import { turn } from "../_helpers.ts";
import { test } from "../_test.ts";
import { rejectionOf } from "./_helpers.ts";

const failure = new Error("Cannot connect");

/** Returns the times of the attempts of a retry that never succeeds. */
async function timesOf(policy: RetryPolicy): Promise<number[]> {
  const clock = mockClock();
  const times: number[] = [];
  let ended = false;
  const retrying = rejectionOf(retry(clock, policy, () => {
    times.push(clock.now());
    throw failure;
  }));
  retrying.then(() => ended = true);
  for (;;) {
    await turn();
    if (ended) break;
    clock.tryAdvance(); // a delay of 0 has no sleep to wake, and may take several turns
  }
  assertStrictEquals(await retrying, failure);
  return times;
}

test("retry() returns the function's result, and passes it the number of the attempt", async () => {
  const attempts: number[] = [];
  const value = await retry(systemClock, { delay: 0 }, (attempt) => {
    attempts.push(attempt);
    if (attempt < 3) throw failure;
    return Promise.resolve("value");
  });
  assertEquals([value, attempts], ["value", [1, 2, 3]]);
});

test("retry() calls the function at once", async () => {
  let called = false;
  const retrying = retry(systemClock, { delay: 1 }, () => called = true);
  assert(called);
  await retrying;
});

test("retry() makes five attempts, each wait twice as long as the one before it, and throws the last error", async () => {
  assertEquals(await timesOf({ delay: 100 }), [0, 100, 300, 700, 1500]);
});

test("retry() waits as its policy says", async () => {
  assertEquals(await timesOf({ delay: 100, attempts: 1 }), [0]);
  assertEquals(await timesOf({ delay: 100, attempts: 3, factor: 1 }), [0, 100, 200]);
  assertEquals(await timesOf({ delay: 100, attempts: 4, factor: 10, maxDelay: 500 }), [0, 100, 600, 1100]);
  assertEquals(await timesOf({ delay: 50_000, attempts: 3 }), [0, 50_000, 110_000]);
  assertEquals(await timesOf({ delay: 70_000, attempts: 3 }), [0, 70_000, 140_000]);
  assertEquals(await timesOf({ delay: 0, attempts: 3, factor: Infinity }), [0, 0, 0]);
});

test("retry() shortens its waits by random numbers that a simulation can replace", async () => {
  const numbers = [0, 0.5, 0.25];
  useRandom(() => numbers.shift() ?? 0);
  try {
    assertEquals(await timesOf({ delay: 100, attempts: 4, factor: 1, jitter: 1 }), [0, 100, 150, 225]);
  } finally {
    useRandom(undefined);
  }
  const number = random();
  assert(number >= 0 && number < 1);
});

test("retry() is cancelled at once while it waits", async () => {
  let attempts = 0;
  const error = await rejectionOf(Switch.run(async (sw) => {
    sw.fork(() =>
      retry(systemClock, { delay: 60_000 }, () => {
        attempts++;
        throw failure;
      })
    );
    await turn();
    sw.fail("stop");
  }));
  assertEquals([error, attempts], ["stop", 1]);
});

test("retry() does not retry what was cancelled, and throws what failed in a cancelled scope", async () => {
  let attempts = 0;
  const cancelled = await rejectionOf(Switch.run((sw) =>
    retry(systemClock, { delay: 1 }, () => {
      attempts++;
      sw.fail("stop");
      return awaitCancel();
    })
  ));
  assertEquals([cancelled, attempts], ["stop", 1]);
  const own = new Cancelled("own");
  assertStrictEquals(await rejectionOf(retry(systemClock, { delay: 1 }, () => Promise.reject(own))), own);
  const errors: unknown[] = [];
  await rejectionOf(Switch.run(async (sw) => {
    const failing = () => (sw.fail("stop"), Promise.reject(failure));
    errors.push(await rejectionOf(retry(systemClock, { delay: 1 }, failing)));
  }));
  assertStrictEquals(errors[0], failure);
});

test("retry() asks whether an error is worth another attempt", async () => {
  const fatal = new Error("Cannot ever connect");
  const asked: unknown[] = [];
  const error = await rejectionOf(
    retry(systemClock, { delay: 0 }, (attempt) => Promise.reject(attempt === 1 ? failure : fatal), {
      isRetryable: (error) => (asked.push(error), error === failure),
    }),
  );
  assertStrictEquals(error, fatal);
  assertEquals(asked, [failure, fatal]);
});

test("retry() is refused in a cancelled scope", async () => {
  let attempts = 0;
  let refused: unknown;
  await rejectionOf(Switch.run(async (sw) => {
    sw.fail("stop");
    refused = await rejectionOf(retry(systemClock, { delay: 0 }, () => attempts++));
  }));
  assertInstanceOf(refused, Cancelled);
  assertEquals(attempts, 0);
});

test("retry() that was not awaited is cancelled and reported", async () => {
  const error = await rejectionOf(Switch.run(() => {
    retry(systemClock, { delay: 60_000 }, () => Promise.reject(failure));
  }));
  assertEquals((error as Error).message, "Cannot end a switch: a retry was not awaited");
});

const bad: [policy: unknown, type: new () => Error, text: string][] = [
  [{}, TypeError, "delay must be a number: current value is undefined"],
  [undefined, TypeError, "policy must be an object: current value is undefined"],
  [{ delay: "1" }, TypeError, 'delay must be a number: current value is "1"'],
  [{ delay: -1 }, RangeError, "delay must be >= 0: current value is -1"],
  [{ delay: NaN }, RangeError, "delay must be >= 0: current value is NaN"],
  [{ delay: 1, attempts: 0 }, RangeError, "attempts must be a whole number >= 1: current value is 0"],
  [{ delay: 1, attempts: 1.5 }, RangeError, "attempts must be a whole number >= 1: current value is 1.5"],
  [{ delay: 1, factor: 0.5 }, RangeError, "factor must be >= 1: current value is 0.5"],
  [{ delay: 1, maxDelay: -5 }, RangeError, "maxDelay must be >= 0: current value is -5"],
  [{ delay: 1, jitter: 2 }, RangeError, "jitter must be from 0 to 1: current value is 2"],
];

for (const [policy, type, text] of bad) {
  test(`retry() refuses a bad policy: ${text}`, async () => {
    let attempts = 0;
    await assertRejects(() => retry(systemClock, policy as RetryPolicy, () => attempts++), type, text);
    assertEquals(attempts, 0);
  });
}

test("retry() refuses anything but a clock and a function", async () => {
  const clock = { clock: systemClock } as never;
  await assertRejects(() => retry(clock, { delay: 1 }, () => 1), TypeError, "Cannot retry: an object is not a Clock");
  await assertRejects(() => retry(systemClock, { delay: 1 }, 5 as never), TypeError, "5 is not a function");
});
