// Copyright 2026 the Sluice authors. MIT license.

/**
 * What scopes and fibers cost beside those of Effect and Effection. Each of theirs runs in one fiber for the whole turn, as ours run in one scope; Effect's
 * also as a program of promises calls them, by `runPromise` each. Prints its rows as one line of JSON.
 */
import { pipe } from "../../flow/mod.ts";
import { first, Switch, withTimeout } from "../../switch/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import type { Row } from "../_bench.ts";
import { compare, type Contestant } from "../_compare.ts";
import { effect, effection } from "./_packages.ts";
import { type Block, contestant, oneByOne, readSettings, scoped } from "./_turns.ts";

/** The design's goal: at least five times cheaper. */
const atMost = 0.2;

/** What has no goal has one round of so many. */
const fewer = 5;

/** Longer than any turn, in milliseconds. */
const long = 60_000;

/** The smallest piece of work that is asynchronous at all. */
const work = async (): Promise<number> => await 1;
const nothing = (): void => {};
const failure = new Error("Cannot go on");

const [end] = pipe();
const buffer = new Uint8Array(64);

/** The same thing in three ways. Theirs are made only where they are installed. */
interface Case {
  readonly name: string;
  readonly ours: () => Promise<unknown>;
  readonly effect: () => unknown;
  // deno-lint-ignore no-explicit-any
  readonly effection: () => Generator<any, unknown, any>;
}

const cases: readonly Case[] = [
  {
    name: "scope, one fork, one release hook",
    ours: () =>
      Switch.run((sw) => {
        sw.onRelease(nothing);
        sw.fork(work);
      }),
    effect: () => {
      const { Effect, Fiber } = effect;
      return Effect.scoped(Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.void);
        yield* Fiber.join(yield* Effect.forkScoped(Effect.promise(work)));
      }));
    },
    *effection() {
      const { ensure, scoped, spawn, until } = effection;
      yield* scoped(function* () {
        yield* ensure(nothing);
        yield* yield* spawn(() => until(work()));
      });
    },
  },
  {
    name: "first of two, the other waits",
    ours: () => first(() => end.read(buffer), work),
    effect: () => effect.Effect.raceFirst(readInEffect(), effect.Effect.promise(work)),
    *effection() {
      yield* effection.race([readInEffection(), effection.until(work())]);
    },
  },
  {
    name: "a timeout that is not reached",
    ours: () => withTimeout(systemClock, long, work),
    effect: () => effect.Effect.timeout(effect.Effect.promise(work), long),
    *effection() {
      yield* effection.race([effection.sleep(long), effection.until(work())]);
    },
  },
  {
    name: "a read that waits, and is cancelled",
    ours: () => Switch.run((sw) => sw.forkDaemon(() => end.read(buffer))),
    effect: () => {
      const { Effect, Fiber } = effect;
      const reading = Effect.forkChild(readInEffect(), { startImmediately: true });
      return Effect.flatMap(reading, (fiber: unknown) => Fiber.interrupt(fiber));
    },
    *effection() {
      const task = yield* effection.spawn(readInEffection);
      yield* task.halt();
    },
  },
  {
    name: "a scope that fails, with a read that waits",
    ours: () =>
      Switch.run((sw) => {
        sw.fork(() => end.read(buffer));
        sw.fail(failure);
      }).catch(nothing),
    effect: () => {
      const { Effect } = effect;
      return Effect.ignore(Effect.scoped(Effect.gen(function* () {
        yield* Effect.forkScoped(readInEffect(), { startImmediately: true });
        yield* Effect.fail(failure);
      })));
    },
    *effection() {
      try {
        yield* effection.scoped(function* () {
          yield* effection.spawn(readInEffection);
          throw failure;
        });
      } catch {
        // as meant
      }
    },
  },
];

/** What reads there as `end.read` does here: it waits, and takes itself back when it is interrupted. */
const reader: { resume?: (() => void) | undefined } = {};

function readInEffect(): unknown {
  const { Effect } = effect;
  return Effect.callback((resume: (effect: unknown) => void) => {
    reader.resume = () => resume(Effect.void);
    return Effect.sync(() => reader.resume = undefined);
  });
}

function readInEffection(): Iterable<unknown> {
  return effection.action((resolve: () => void) => {
    reader.resume = resolve;
    return () => reader.resume = undefined;
  });
}

const { runtime, rounds, ms } = readSettings();
const rows: Row[] = [];
for (const one of cases) {
  const subject = { name: `${one.name}: beside others`, runtime, unit: "ns" };
  const ours = { ...await scoped("ours", oneByOne(one.ours), ms), limits: { "Effect": atMost } };
  const others: Contestant[] = [];
  if (effect !== undefined) {
    const operation = one.effect();
    rows.push(...await compare(subject, [ours], [await contestant("Effect", inEffect(operation), ms)], rounds));
    others.push(await contestant("Effect.runPromise", oneByOne(() => effect.Effect.runPromise(operation)), ms));
  }
  if (effection !== undefined) others.push(await contestant("Effection", inEffection(one.effection), ms));
  rows.push(...await compare(subject, [ours], others, Math.ceil(rounds / fewer)));
  if (effect === undefined) rows.push({ ...subject, api: "Effect", value: null, rounds: 0 });
  if (effection === undefined) rows.push({ ...subject, api: "Effection", value: null, rounds: 0 });
}
console.log(JSON.stringify(rows));

function inEffect(operation: unknown): Block {
  const { Effect } = effect;
  return (times) =>
    Effect.runPromise(Effect.gen(function* () {
      for (let i = 0; i < times; i++) yield* operation as Generator;
    }));
}

function inEffection(operation: Case["effection"]): Block {
  return (times) =>
    effection.run(function* () {
      for (let i = 0; i < times; i++) yield* operation();
    });
}
