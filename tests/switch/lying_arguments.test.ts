// Copyright 2026 the Sluice authors. MIT license.

/** Hostile arguments are read once and refused, and leave nothing behind. */
import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals } from "@std/assert";
import * as io from "../../switch/mod.ts";
import { Cancelled, type Clock, MultipleErrors, Queue, Semaphore, Switch, TimeoutError } from "../../switch/mod.ts";
import { mockClock } from "../../net/testing/mod.ts";
import { turn } from "../_helpers.ts";
import {
  assertOurs,
  assertReadOnce,
  Lie,
  noNumber,
  noOptions,
  noWhole,
  one,
  readOnce,
  refusalOf,
  refusing,
  revoked,
  strangers,
  strangersBut,
  throwingAt,
  thrownBy,
} from "../_lies.ts";
import { test } from "../_test.ts";

type Loose = (...args: unknown[]) => unknown;

/** The library without types. */
const js = io as unknown as Record<string, Loose>;
const run = Switch.run as unknown as Loose;
const runProtected = Switch.runProtected as unknown as Loose;

const clock = mockClock();

/** Values that are not arrays of functions: the stranger array is empty, and so is one. */
const noList = strangersBut("an array");
/** Values that are not valid timeouts. */
const noMilliseconds = strangersBut("a number", "NaN", "-1", "1.5", "2 ** 53");
const noItems = strangersBut("a text", "a huge text", "an array", "a list with holes");

type Strangers = typeof strangers;

/** Asynchronous functions, and the argument that is replaced by a stranger. */
const refused: readonly (readonly [name: string, strangers: Strangers, call: (value: unknown) => unknown])[] = [
  ["Switch.run(?)", strangers, (value) => run(value)],
  ["Switch.run(fn, ?)", noOptions, (value) => run(one, value)],
  ["Switch.run(fn, { name: ? })", strangersBut("a text", "a huge text"), (name) => run(one, { name })],
  ["Switch.run(fn, { signal: ? })", strangers, (signal) => run(one, { signal })],
  ["Switch.runProtected(?)", strangers, (value) => runProtected(value)],
  ["Switch.runProtected(fn, ?)", noOptions, (value) => runProtected(one, value)],
  ["all(?)", noList, (value) => js.all(value)],
  ["all([?])", strangers, (value) => js.all([value])],
  ["both(?, g)", strangers, (value) => js.both(value, one)],
  ["both(f, ?)", strangers, (value) => js.both(one, value)],
  ["any(?)", noList, (value) => js.any(value)],
  ["any([?])", strangers, (value) => js.any([value])],
  ["any(fns, ?)", noOptions, (value) => js.any([one], value)],
  ["any(fns, { combine: ? })", strangers, (combine) => js.any([one], { combine })],
  ["first(?, g)", strangers, (value) => js.first(value, one)],
  ["first(f, ?)", strangers, (value) => js.first(one, value)],
  ["first(f, g, ?)", noOptions, (value) => js.first(one, one, value)],
  ["first(f, g, { combine: ? })", strangers, (combine) => js.first(one, one, { combine })],
  ["nAny(?)", noList, (value) => js.nAny(value)],
  ["nAny([?])", strangers, (value) => js.nAny([value])],
  ["mapFibers(?, fn)", noItems, (value) => js.mapFibers(value, one)],
  ["mapFibers(items, ?)", strangers, (value) => js.mapFibers([1], value)],
  ["mapFibers(items, fn, ?)", noOptions, (value) => js.mapFibers([1], one, value)],
  ["mapFibers(items, fn, { maxFibers: ? })", noWhole, (maxFibers) => js.mapFibers([1], one, { maxFibers })],
  ["filterFibers(items, ?)", strangers, (value) => js.filterFibers([1], value)],
  ["forEachFiber(items, ?)", strangers, (value) => js.forEachFiber([1], value)],
  ["protect(?)", strangers, (value) => js.protect(value)],
  [
    "interruptible(?)",
    strangersBut("a thenable", "a thenable that throws"),
    (value) => js.interruptible(value),
  ],
  ["withTimeout(?, ms, fn)", strangers, (value) => js.withTimeout(value, 1, one)],
  ["withTimeout(clock, ?, fn)", noMilliseconds, (value) => js.withTimeout(clock, value, one)],
  ["withTimeout(clock, ms, ?)", strangers, (value) => js.withTimeout(clock, 1, value)],
  ["withTimeout(clock, ms, fn, ?)", noOptions, (value) => js.withTimeout(clock, 1, one, value)],
  [
    "withTimeout(clock, ms, fn, { name: ? })",
    strangersBut("a text", "a huge text"),
    (name) => js.withTimeout(clock, 1, one, { name }),
  ],
  ["retry(?, policy, fn)", strangers, (value) => js.retry(value, { delay: 1 }, one)],
  ["retry(clock, ?, fn)", strangers, (value) => js.retry(clock, value, one)],
  ["retry(clock, policy, ?)", strangers, (value) => js.retry(clock, { delay: 1 }, value)],
  ["retry(clock, policy, fn, ?)", noOptions, (value) => js.retry(clock, { delay: 1 }, one, value)],
  [
    "retry(clock, policy, fn, { isRetryable: ? })",
    strangers,
    (isRetryable) => js.retry(clock, { delay: 1 }, one, { isRetryable }),
  ],
  ["retry with a delay", noNumber, (delay) => js.retry(clock, { delay }, one)],
  ["retry with attempts", noWhole, (attempts) => js.retry(clock, { delay: 1, attempts }, one)],
  ["retry with a maxDelay", noNumber, (maxDelay) => js.retry(clock, { delay: 1, maxDelay }, one)],
  ["retry with a factor", noNumber, (factor) => js.retry(clock, { delay: 1, factor }, one)],
  ["retry with a jitter", strangers, (jitter) => js.retry(clock, { delay: 1, jitter }, one)],
];

for (const [name, values, call] of refused) {
  test(`${name} is refused by a rejection with a clear error, whatever the stranger is`, async () => {
    for (const [stranger, value] of values) {
      const error = await refusalOf(() => call(value));
      if (error instanceof Lie || stranger === "a revoked proxy") continue; // the stranger's own error
      try {
        assertOurs(error);
      } catch (problem) {
        throw new Error(`${stranger}: ${(problem as Error).message}`);
      }
    }
  });
}

/** Functions that throw synchronously. */
const thrown: readonly (readonly [name: string, strangers: Strangers, call: (value: unknown) => unknown])[] = [
  ["new Semaphore(?)", noWhole, (value) => new Semaphore(value as number)],
  ["new Queue(?)", noWhole, (value) => new Queue(value as number)],
  ["Semaphore.resize(?)", noWhole, (value) => new Semaphore(1).resize(value as number)],
  ["new Switch(?)", strangers, (value) => new (Switch as unknown as new (...args: unknown[]) => unknown)(value)],
];
for (const [name, values, call] of thrown) {
  test(`${name} is refused at once with a clear error, whatever the stranger is`, () => {
    for (const [, value] of values) assertOurs(thrownBy(() => call(value)));
  });
}

for (const method of ["fork", "forkDaemon", "onRelease", "use"]) {
  test(`Switch.${method}(?) is refused at once with a clear error, whatever the stranger is`, async () => {
    await Switch.run((sw) => {
      for (const [stranger, value] of strangers) {
        const error = thrownBy(() => (sw as unknown as Record<string, Loose>)[method](value));
        if (error instanceof Lie || stranger === "a revoked proxy") continue;
        assertOurs(error);
      }
      assertEquals(sw.dump(), "switch");
    });
  });
}

test("Switch.forkPromise(?) is refused by a rejection with a clear error, whatever the stranger is", async () => {
  await Switch.run(async (sw) => {
    for (const [, value] of strangers) assertOurs(await refusalOf(() => sw.forkPromise(value as () => void)));
    assertEquals(sw.dump(), "switch");
  });
});

/** Functions with options, all of them set. */
const withOptions: Record<string, { options: Record<string, unknown>; call: (options: unknown) => unknown }> = {
  "Switch.run": {
    options: { name: "a name", signal: new AbortController().signal },
    call: (options) => run(one, options),
  },
  "Switch.runProtected": { options: { name: "a name" }, call: (options) => runProtected(one, options) },
  any: { options: { combine: one }, call: (options) => js.any([one, one], options) },
  first: { options: { combine: one }, call: (options) => js.first(one, one, options) },
  mapFibers: { options: { maxFibers: 1 }, call: (options) => js.mapFibers([1, 2], one, options) },
  withTimeout: { options: { name: "a name" }, call: (options) => js.withTimeout(clock, 1, one, options) },
  "retry's policy": {
    options: { attempts: 2, delay: 0, maxDelay: 0, factor: 1, jitter: 0 },
    call: (options) => {
      let failed = 0;
      return js.retry(clock, options, () => {
        if (failed++ === 0) throw new Error("Cannot yet");
      });
    },
  },
  "retry's options": {
    options: { isRetryable: () => true },
    call: (options) => {
      let failed = 0;
      return js.retry(clock, { delay: 0 }, () => {
        if (failed++ === 0) throw new Error("Cannot yet");
      }, options);
    },
  },
};
for (const [name, { options, call }] of Object.entries(withOptions)) {
  test(`${name}() reads each option once, and uses what it has judged`, async () => {
    const lying = readOnce(options);
    await call(lying.options);
    assertReadOnce(options, lying.reads());
  });

  test(`${name}() rejects with what a getter of its options throws, and leaves nothing behind`, async () => {
    await Switch.run(async (sw) => {
      for (const key of Object.keys(options)) {
        assertInstanceOf(await refusalOf(() => call(throwingAt(options, key))), Lie);
      }
      assertEquals(sw.dump(), "switch");
    });
  });
}

test("withTimeout() names its error by the name it has read once", async () => {
  const { options } = readOnce({ name: "the upload" });
  const timed = assertRejects(() => io.withTimeout(clock, 1, io.awaitCancel, options), TimeoutError, "the upload");
  clock.advance();
  await timed;
});

for (const combinator of ["all", "any", "nAny"]) {
  test(`${combinator}() runs the functions that it has judged, and reads each once`, async () => {
    const reads: PropertyKey[] = [];
    const list = new Proxy([one, one], {
      get(target, key, receiver) {
        if (key === "0" || key === "1") reads.push(key);
        return reads.length > 2 ? Symbol("another one") : Reflect.get(target, key, receiver);
      },
    });
    await js[combinator](list);
    assertEquals(reads, ["0", "1"]);
  });

  test(`${combinator}() of a list with holes or an iterator that throws is refused, and nothing is started`, async () => {
    let started = false;
    const start = () => started = true;
    const holes = [start, , start];
    assertOurs(await refusalOf(() => js[combinator](holes)));
    const lying = Object.assign([start, 5], { *[Symbol.iterator]() {} });
    assertOurs(await refusalOf(() => js[combinator](lying)));
    assertEquals(started, false);
  });
}

for (
  const [kind, signal] of Object.entries({
    "by its prototype": Object.create(AbortSignal.prototype),
    "of a refusing proxy": refusing(new AbortController().signal),
    "of a revoked proxy": revoked(new AbortController().signal),
    "by its members": { aborted: false, reason: 1, addEventListener() {}, removeEventListener() {} },
  })
) {
  test(`Switch.run() refuses a signal that is forged ${kind}, and leaves no scope behind`, async () => {
    await Switch.run(async (sw) => {
      assertOurs(await refusalOf(() => run(one, { signal })));
      assertEquals(sw.dump(), "switch");
    });
  });
}

test("Switch.run() asks the platform about a signal, and not the members that a program gave it", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let lie = true;
  Object.defineProperties(signal, { aborted: { get: () => lie }, reason: { get: () => "lie" } });
  Object.assign(signal, { addEventListener: undefined, removeEventListener: undefined });
  assertEquals(await run(one, { signal }), 1);
  lie = false; // Deno reads it before it aborts the signal
  const ended = run(io.awaitCancel, { signal }) as Promise<unknown>;
  controller.abort("enough");
  const error = await assertRejects(() => ended, Cancelled);
  assertEquals(error.cause, "enough");
});

test("a switch that is forged by its prototype can do nothing", async () => {
  const forged = Object.create(Switch.prototype) as Switch;
  for (const key of ["fork", "forkDaemon", "onRelease", "fail", "check", "dump"]) {
    assertInstanceOf(thrownBy(() => (forged as unknown as Record<string, Loose>)[key](one)), TypeError);
  }
  assertInstanceOf(thrownBy(() => forged.signal), TypeError);
  assertInstanceOf(await refusalOf(() => forged.forkPromise(one)), TypeError);
});

/** A thenable that settles in an unusual way, and the expected result. */
const thenables: Record<string, [then: (resolve: (value: unknown) => void, reject: Loose) => unknown, value: unknown]> =
  {
    "calls back at once": [(resolve) => resolve(7), 7],
    "calls back twice": [(resolve) => (resolve(7), resolve(8)), 7],
    "calls back and throws": [(resolve) => {
      resolve(7);
      throw new Lie();
    }, 7],
    "succeeds and fails": [(resolve, reject) => (resolve(7), reject(new Lie())), 7],
    "calls back with another": [(resolve) => resolve({ then: (again: Loose) => again(7) }), 7],
    "throws": [() => {
      throw new Lie();
    }, undefined],
    "fails twice": [(_, reject) => (reject(new Lie()), reject(new Error())), undefined],
  };
const callers: Record<string, (fn: () => unknown) => unknown> = {
  "Switch.run": (fn) => run(fn),
  forkPromise: (fn) => Switch.run((sw) => sw.forkPromise(fn)),
  all: async (fn) => (await (js.all([fn]) as Promise<unknown[]>))[0],
  any: (fn) => js.any([fn]),
  nAny: async (fn) => (await (js.nAny([fn]) as Promise<unknown[]>))[0],
  protect: (fn) => js.protect(fn),
  withTimeout: (fn) => js.withTimeout(clock, 1, fn),
  retry: (fn) => js.retry(clock, { delay: 0, attempts: 1 }, fn),
  mapFibers: async (fn) => (await (js.mapFibers([1], fn) as Promise<unknown[]>))[0],
};
for (const [caller, call] of Object.entries({ ...callers, interruptible: (fn: Loose) => js.interruptible(fn()) })) {
  test(`${caller}() ignores later calls of a thenable's callbacks`, async () => {
    for (const [name, [then, value]] of Object.entries(thenables)) {
      const settled = await Promise.resolve(call(() => ({ then }))).catch((error) => error);
      if (value === undefined) assertInstanceOf(settled, Lie, name);
      else assertEquals(settled, value, name);
    }
  });

  test(`${caller}() waits for a promise itself, and not for the members that a program gave it`, async () => {
    const own = Object.assign(turn().then(() => 7), { then: () => {}, catch: undefined, finally: undefined });
    assertEquals(await (async () => await call(() => own))(), 7);
    const named = Object.defineProperty(turn().then(() => 7), "constructor", {
      get() {
        throw new Lie();
      },
    });
    const settled = await Promise.resolve(call(() => named)).catch((error) => error);
    assert(settled === 7 || settled instanceof Lie, String(settled));
  });
}

for (const [caller, call] of Object.entries(callers)) {
  test(`${caller}() calls a function as the platform would, whatever members it has, and without a this`, async () => {
    const seen: unknown[] = [];
    const fn = function (this: unknown): number {
      seen.push(this);
      return 7;
    };
    for (const key of ["length", "name", "prototype", Symbol.hasInstance, Symbol.toPrimitive]) {
      try {
        Object.defineProperty(fn, key, { get: () => refusing({}) });
      } catch { /* it cannot be changed */ }
    }
    Object.assign(fn, { call: refusing(one), apply: refusing(one), bind: refusing(one) });
    assertEquals(await call(fn), 7);
    assertEquals(seen.map((each) => each ?? "none"), ["none"]);
  });

  test(`${caller}() throws what a function throws, even a proxy or an error that refuses to be touched`, async () => {
    const refusingError = Object.freeze(Object.defineProperties(new Error(), {
      message: { get: () => refusing({}) },
      stack: { get: () => refusing({}) },
      cause: { get: () => refusing({}) },
      name: { get: () => refusing({}) },
    }));
    for (
      const error of [refusing({}), refusing(new Error()), revoked({}), refusingError, null, undefined, { then: one }]
    ) {
      let thrown: unknown = "nothing";
      try {
        await call(() => {
          throw error;
        });
      } catch (given) {
        thrown = given;
      }
      assertStrictEquals(thrown, error);
    }
  });
}

test("errors that refuse to be touched can be collected, and named", async () => {
  const errors = [refusing(new Error()), revoked({}), refusing({})];
  const error = await assertRejects(() =>
    Switch.run((sw) => {
      for (const each of errors) sw.fail(each);
    }), MultipleErrors);
  errors.forEach((each, i) => assertStrictEquals(error.errors[i], each));
});

test("a clock that throws, or returns undefined or a lying thenable, fails or times out the call that uses it", async () => {
  const clockOf = (sleep: () => unknown) => ({ now: () => 0, sleep, sleepUntil: sleep }) as unknown as Clock;
  const lie = () => {
    throw new Lie();
  };
  await assertRejects(() => io.withTimeout(clockOf(lie), 1, io.awaitCancel), Lie);
  await assertRejects(() => io.withTimeout(clockOf(() => undefined), 1, io.awaitCancel), TimeoutError);
  await assertRejects(() => io.withTimeout(clockOf(() => ({ then: lie })), 1, io.awaitCancel), Lie);
  assertEquals(await io.withTimeout(clockOf(() => io.awaitCancel()), 1, one), 1);
  const failing = () => io.retry(clockOf(lie), { delay: 1 }, () => Promise.reject(new Error("Cannot work")));
  await assertRejects(failing, Lie);
});

test("Switch.use() owns what has a lying constructor, and dump() names it", async () => {
  let disposed = 0;
  const dispose = () => disposed++;
  const lying = [
    refusing({}),
    {
      get name() {
        return refusing({});
      },
    },
    { name: 5 },
    { name: "x\n".repeat(100_000) },
  ];
  await Switch.run((sw) => {
    for (const constructor of lying) sw.use({ constructor, [Symbol.dispose]: dispose } as unknown as Disposable);
    sw.use(
      Object.defineProperty({ [Symbol.dispose]: dispose }, "constructor", { get: () => refusing({}).constructor }),
    );
    sw.onRelease(Object.defineProperty(() => {}, "name", { value: refusing({}) }));
    assert(sw.dump().length < 2000, `${sw.dump().length}`);
  });
  assertEquals(disposed, 5);
});

test("Switch.use() calls the method that it has judged, on the resource", async () => {
  const seen: unknown[] = [];
  let reads = 0;
  const resource = {
    get [Symbol.asyncDispose](): () => Promise<void> {
      if (reads++ > 0) throw new Lie();
      return function (this: unknown) {
        seen.push(this);
        return Promise.resolve();
      };
    },
  };
  await Switch.run((sw) => sw.use(resource));
  assertEquals([seen.length, seen[0] === resource, reads], [1, true, 1]);
});

test("the library's errors accept any argument", () => {
  for (const [, value] of strangers) {
    assertInstanceOf(new Cancelled(value), Cancelled);
    const { message } = new TimeoutError(value as number, "x");
    assert(message.length < 500 && !/\p{Cc}/u.test(message), message.slice(0, 500));
  }
  for (const [, value] of strangersBut("a text", "a huge text")) {
    assertOurs(thrownBy(() => new TimeoutError(1, value as string)));
  }
});
