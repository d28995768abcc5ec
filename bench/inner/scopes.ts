// Copyright 2026 the Sluice authors. MIT license.

/**
 * Scopes, fibers, races and timeouts beside plain promises, and beside Effect where a full run has
 * installed it. Those of Effect run in one fiber for the whole turn, as ours run in one scope.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { run } from "../../mod.ts";
import { pipe } from "../../flow/mod.ts";
import { type Clock, first, Switch, withTimeout } from "../../switch/mod.ts";
import { packagesFolder } from "../_packages.ts";
import { type Block, type Cases, oneByOne, scoped } from "./_case.ts";

/** Effect has no types here, as only full runs install it. */
const path = join(packagesFolder, "node_modules/effect/dist/index.js");
// deno-lint-ignore no-explicit-any
const effect: any = existsSync(path) ? await import(pathToFileURL(path).href) : undefined;
const { Effect, Fiber } = effect ?? {};

const long = 60_000; // ms: longer than any turn

/** The smallest piece of work that is asynchronous at all. */
const work = async (): Promise<number> => await 1;
const nothing = (): void => {};
const failure = new Error("Cannot go on");
const [end] = pipe();
const buffer = new Uint8Array(64);

/** Calls that do the same. */
interface Ways {
  readonly name: string;
  readonly ours: Readonly<Record<string, () => Promise<unknown>>>;
  readonly beside: Readonly<Record<string, () => Promise<unknown>>>;
  readonly effect?: (() => unknown) | undefined;
}

export const cases: Cases = async (measure) => {
  await run(async ({ clock }) => {
    for (const { name, ours, beside, effect: inEffect } of allWays(clock)) {
      const mine = blocks(ours, (fn) => scoped(oneByOne(fn)));
      if (Object.keys(beside).length > 0) await measure({ name, ours: mine, beside: blocks(beside, oneByOne) });
      if (inEffect === undefined || effect === undefined) continue;
      const [[api, block]] = Object.entries(mine);
      await measure({
        name: `${name}: beside Effect`,
        ours: { [api]: block },
        beside: { "Effect": inOneFiber(inEffect()) },
      });
    }
  });
};

function allWays(clock: Clock): Ways[] {
  return [
    {
      name: "scope, one fork, one release hook",
      ours: {
        "Switch.run": () =>
          Switch.run((sw) => {
            sw.onRelease(nothing);
            sw.fork(work);
          }),
      },
      beside: {
        "AsyncDisposableStack": async () => {
          await using stack = new AsyncDisposableStack();
          stack.defer(nothing);
          await work();
        },
      },
      effect: () =>
        Effect.scoped(Effect.gen(function* () {
          yield* Effect.addFinalizer(() => Effect.void);
          yield* Fiber.join(yield* Effect.forkScoped(Effect.promise(work)));
        })),
    },
    {
      name: "first of two, the other waits",
      ours: { "first": () => first(() => end.read(buffer), work) },
      beside: {
        "Promise.race": () => Promise.race([new Promise(nothing), work()]),
        "race and AbortController": async () => {
          const controller = new AbortController();
          try {
            return await Promise.race([untilAborted(controller.signal), work()]);
          } finally {
            controller.abort();
          }
        },
      },
      effect: () => Effect.raceFirst(readInEffect(), Effect.promise(work)),
    },
    {
      name: "a timeout that is not reached",
      ours: { "withTimeout": () => withTimeout(clock, long, work) },
      beside: {
        "race and setTimeout": async () => {
          let timer: ReturnType<typeof setTimeout> | undefined;
          try {
            return await Promise.race([new Promise(() => timer = setTimeout(nothing, long)), work()]);
          } finally {
            clearTimeout(timer);
          }
        },
      },
      effect: () => Effect.timeout(Effect.promise(work), long),
    },
    {
      name: "a read that waits, and is cancelled",
      ours: {
        "sw.forkDaemon": () => Switch.run((sw) => sw.forkDaemon(() => end.read(buffer))),
        "sw.fail": failingScope,
      },
      beside: {
        "AbortController": async () => {
          const controller = new AbortController();
          const reading = untilAborted(controller.signal);
          controller.abort();
          await reading.catch(nothing);
        },
      },
      effect: () =>
        Effect.flatMap(
          Effect.forkChild(readInEffect(), { startImmediately: true }),
          (fiber: unknown) => Fiber.interrupt(fiber),
        ),
    },
    {
      name: "a scope that fails, with a read that waits",
      ours: { "sw.fail": failingScope },
      beside: {},
      effect: () =>
        Effect.ignore(Effect.scoped(Effect.gen(function* () {
          yield* Effect.forkScoped(readInEffect(), { startImmediately: true });
          yield* Effect.fail(failure);
        }))),
    },
  ];
}

const failingScope = (): Promise<unknown> =>
  Switch.run((sw) => {
    sw.fork(() => end.read(buffer));
    sw.fail(failure);
  }).catch(nothing);

function blocks<T>(calls: Readonly<Record<string, T>>, make: (call: T) => Block): Record<string, Block> {
  return Object.fromEntries(Object.entries(calls).map(([api, call]) => [api, make(call)]));
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function inOneFiber(operation: unknown): Block {
  return (times) =>
    Effect.runPromise(Effect.gen(function* () {
      for (let i = 0; i < times; i++) yield* operation as Generator;
    }));
}

/** Waits as `end.read` does, and takes itself back when it is interrupted. */
const reader: { resume?: (() => void) | undefined } = {};

function readInEffect(): unknown {
  return Effect.callback((resume: (effect: unknown) => void) => {
    reader.resume = () => resume(Effect.void);
    return Effect.sync(() => reader.resume = undefined);
  });
}
