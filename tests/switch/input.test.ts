// Copyright 2026 the Sluice authors. MIT license.

/** Invalid input, and unusual valid input. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  all,
  any,
  awaitCancel,
  both,
  filterFibers,
  first,
  forEachFiber,
  interruptible,
  mapFibers,
  nAny,
  protect,
  Semaphore,
  Switch,
  yieldNow,
} from "../../switch/mod.ts";
import { refuse } from "../_lies.ts";
import { test } from "../_test.ts";
import { rejectionOf } from "./_helpers.ts";

/** Returns a function without its types. */
function wrong(fn: unknown): (...args: unknown[]) => unknown {
  return fn as (...args: unknown[]) => unknown;
}

let started = false;

function never(): void {
  started = true;
}

test("Switch.run() refuses a signal that is none, and leaves no scope behind", async () => {
  await Switch.run(async (sw) => {
    await assertRejects(() => Switch.run(() => 1, { signal: {} as AbortSignal }), TypeError, "AbortSignal");
    assertEquals(sw.dump(), "switch");
  });
});

/** Misuses, and the error of each. None of these calls starts anything. */
const misuses: [name: string, call: () => unknown, type: new () => Error, text: string][] = [
  [
    "all(f, g)",
    () => wrong(all)(never, never),
    TypeError,
    "Cannot run all as its functions must be in an array, like all([f, g]): current value is a function",
  ],
  [
    "all()",
    () => wrong(all)(),
    TypeError,
    "Cannot run all as its functions must be in an array, like all([f, g]): current value is undefined",
  ],
  [
    "all of promises",
    () => wrong(all)([Promise.resolve()]),
    TypeError,
    "Cannot run all: a Promise is not a function, so pass a function that returns it",
  ],
  [
    "any(f, g)",
    () => wrong(any)(never, never),
    TypeError,
    "Cannot run any as its functions must be in an array, like any([f, g])",
  ],
  [
    "nAny(f, g)",
    () => wrong(nAny)(never, never),
    TypeError,
    "Cannot run nAny as its functions must be in an array, like nAny([f, g])",
  ],
  [
    "first([f, g])",
    () => wrong(first)([never, never]),
    TypeError,
    "Cannot run first of an array: it takes two functions, and any takes an array",
  ],
  ["first(f)", () => wrong(first)(never), TypeError, "Cannot run first: undefined is not a function"],
  [
    "both([f, g])",
    () => wrong(both)([never, never]),
    TypeError,
    "Cannot run both of an array: it takes two functions, and all takes an array",
  ],
  [
    "any(fns, 5)",
    () => wrong(any)([never], 5),
    TypeError,
    "Cannot run any as options must be an object: current value is 5",
  ],
  ["forEachFiber(5, f)", () => wrong(forEachFiber)(5, never), TypeError, "Cannot run forEachFiber: 5 is not iterable"],
  [
    "mapFibers(f, items)",
    () => wrong(mapFibers)(never, [1]),
    TypeError,
    "Cannot run mapFibers: an array is not a function",
  ],
  [
    "filterFibers(undefined, f)",
    () => wrong(filterFibers)(undefined, never),
    TypeError,
    "Cannot run filterFibers: undefined is not iterable",
  ],
  [
    "forEachFiber(items, f, 4)",
    () => wrong(forEachFiber)([1], never, 4),
    TypeError,
    "Cannot run forEachFiber as options must be an object: current value is 4",
  ],
  ["Switch.run()", () => wrong(Switch.run)(), TypeError, "Cannot run a switch: undefined is not a function"],
  [
    "Switch.run of a promise",
    () => wrong(Switch.run)(Promise.resolve()),
    TypeError,
    "Cannot run a switch: a Promise is not a function, so pass a function that returns it",
  ],
  [
    "Switch.run(fn, name)",
    () => wrong(Switch.run)(never, "name"),
    TypeError,
    'Cannot run a switch as options must be an object: current value is "name"',
  ],
  [
    "Switch.run with a name that is no string",
    () => wrong(Switch.run)(never, { name: 5 }),
    TypeError,
    "Cannot run a switch as name must be a string: current value is 5",
  ],
  [
    "Switch.run with a controller",
    () => wrong(Switch.run)(never, { signal: new AbortController() }),
    TypeError,
    "Cannot run a switch as signal must be an AbortSignal: current value is an AbortController",
  ],
  [
    "Switch.runProtected()",
    () => wrong(Switch.runProtected)(),
    TypeError,
    "Cannot run a switch: undefined is not a function",
  ],
  ["protect()", () => wrong(protect)(), TypeError, "Cannot protect: undefined is not a function"],
  [
    "interruptible(fn)",
    () => wrong(interruptible)(never),
    TypeError,
    "Cannot wait for a function: it is not a promise",
  ],
];

for (const [name, call, type, text] of misuses) {
  test(`${name} is rejected with a clear error, and starts nothing`, async () => {
    started = false;
    const result = call();
    assertInstanceOf(result, Promise);
    const error = await rejectionOf(result);
    assertInstanceOf(error, type);
    assertStringIncludes(error.message, text);
    assertEquals(started, false);
  });
}

test("Switch.fork() of a promise says to pass a function", async () => {
  await Switch.run((sw) => {
    const text = "Cannot fork a fiber: a Promise is not a function, so pass a function that returns it";
    assertThrows(() => wrong(sw.fork.bind(sw))(Promise.resolve()), TypeError, text);
  });
});

class Ping {}

const values: [value: unknown, text: string][] = [
  [5, "5"],
  [NaN, "NaN"],
  [true, "true"],
  [undefined, "undefined"],
  [null, "null"],
  ['a\n"b"', '"a\\n\\"b\\""'],
  ["\x9b\u202e", '"\\u{9b}\\u{202e}"'],
  ["x".repeat(5_000_000), `"${"x".repeat(40)}"...`],
  [5n ** 1000n, "a bigint"],
  [Symbol("x".repeat(5_000_000)), "a symbol"],
  [never, "a function"],
  [[1, 2], "an array"],
  [{ toString: refuse }, "an object"],
  [Object.create(null), "an object"],
  [new Ping(), "a Ping"],
  [new Map(), "a Map"],
  [new Error("Cannot be seen"), "an Error"],
  [new Proxy({}, { get: refuse, getPrototypeOf: refuse }), "an object"],
  [Object.create({ constructor: { name: "X".repeat(5_000_000) } }), "an object"],
  [
    Object.create({
      get constructor() {
        return refuse();
      },
    }),
    "an object",
  ],
];

for (const [value, text] of values) {
  test(`a wrong argument is described as ${text}`, async () => {
    const error = await rejectionOf(wrong(Switch.run)(value, 5) as Promise<unknown>);
    if (typeof value === "function") assertStringIncludes((error as Error).message, "options");
    else assertEquals((error as Error).message, `Cannot run a switch: ${text} is not a function`);
    assertThrows(() => new Semaphore(value === 5 ? -5 : value as number), RangeError);
  });
}

test("interruptible() refuses anything but a promise", async () => {
  await assertRejects(() => interruptible(5 as unknown as Promise<number>), TypeError, "not a promise");
});

test("mapFibers() refuses what cannot be iterated", async () => {
  await assertRejects(() => mapFibers({} as Iterable<number>, (n) => n), TypeError);
});

test("fork() awaits a native promise whose overridden then does not work", async () => {
  await Switch.run((sw) => sw.fork(() => Object.assign(yieldNow(), { then: undefined })));
});

test("Switch and Semaphore cannot be changed by other code", () => {
  for (const frozen of [Switch, Switch.prototype, Semaphore, Semaphore.prototype]) assert(Object.isFrozen(frozen));
});

test("a loser of first() may annotate its cancellation, which no other code sees", async () => {
  const reasons: { note?: number }[] = [];
  const loser = async () => {
    try {
      await awaitCancel();
    } catch (error) {
      reasons.push(error as { note?: number });
      throw Object.assign(error as Error, { note: reasons.length });
    }
  };
  for (let i = 0; i < 2; i++) await first(loser, yieldNow);
  assertEquals(reasons.map(({ note }) => note), [1, 2]);
});
