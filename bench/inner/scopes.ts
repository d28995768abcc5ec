// Copyright 2026 the Sluice authors. MIT license.

/** What scopes and fibers cost beside plain promises. Prints its rows as one line of JSON. */
import { pipe } from "../../flow/mod.ts";
import { first, Switch, withTimeout } from "../../switch/mod.ts";
import { systemClock } from "../../switch/clock.ts";
import type { Row } from "../_bench.ts";
import { compare, type Contestant } from "../_compare.ts";
import { contestant, oneByOne, readSettings } from "./_turns.ts";

/** Longer than any turn, in milliseconds. */
const long = 60_000;

/** The smallest piece of work that is asynchronous at all. */
const work = async (): Promise<number> => await 1;
const nothing = (): void => {};

/** What is compared: each of ours does what the bare one does, and more. */
interface Case {
  readonly name: string;
  readonly ours: Readonly<Record<string, () => Promise<unknown>>>;
  readonly bare: Readonly<Record<string, () => Promise<unknown>>>;
}

const [end] = pipe();
const buffer = new Uint8Array(64);

const cases: readonly Case[] = [
  {
    name: "scope, one fork, one release hook",
    ours: {
      "Switch.run": () =>
        Switch.run((sw) => {
          sw.onRelease(nothing);
          sw.fork(work);
        }),
    },
    bare: {
      "AsyncDisposableStack": async () => {
        await using stack = new AsyncDisposableStack();
        stack.defer(nothing);
        await work();
      },
    },
  },
  {
    name: "fork and wait for the value",
    ours: { "sw.forkPromise": () => owner.forkPromise(work) },
    bare: { "a promise": () => work() },
  },
  {
    name: "first of two, the other waits",
    ours: { "first": () => first(() => end.read(buffer), work) },
    bare: {
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
  },
  {
    name: "a timeout that is not reached",
    ours: { "withTimeout": () => withTimeout(systemClock, long, work) },
    bare: {
      "race and setTimeout": async () => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        try {
          return await Promise.race([new Promise(() => timer = setTimeout(nothing, long)), work()]);
        } finally {
          clearTimeout(timer);
        }
      },
    },
  },
  {
    name: "a read that waits, and is cancelled",
    ours: {
      "sw.forkDaemon": () => Switch.run((sw) => sw.forkDaemon(() => end.read(buffer))),
      "sw.fail": () =>
        Switch.run((sw) => {
          sw.fork(() => end.read(buffer));
          sw.fail(undefined);
        }).catch(nothing),
    },
    bare: {
      "AbortController": async () => {
        const controller = new AbortController();
        const reading = untilAborted(controller.signal);
        controller.abort();
        await reading.catch(nothing);
      },
    },
  },
];

let owner: Switch;
const { runtime, rounds, ms } = readSettings();
const rows: Row[] = [];
for (const { name, ours, bare } of cases) {
  rows.push(
    ...await compare(
      { name, runtime, unit: "ns" },
      await Promise.all(Object.entries(ours).map(([api, fn]) => scoped(api, fn))),
      await Promise.all(Object.entries(bare).map(([api, fn]) => contestant(api, oneByOne(fn), ms))),
      rounds,
    ),
  );
}
console.log(JSON.stringify(rows));

/** Ours run in a scope, as they do in a program; each turn has one of its own. The bare ones know none. */
function scoped(api: string, fn: () => Promise<unknown>): Promise<Contestant> {
  const block = oneByOne(fn);
  return contestant(api, (times) =>
    Switch.run(async (sw) => {
      owner = sw;
      await block(times);
    }), ms);
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
