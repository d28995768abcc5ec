// Copyright 2026 the Sluice authors. MIT license.

/**
 * What a check allocates in a scope that is not cancelled, in bytes; beside it what an object costs, to show that the method sees it. Prints its rows as one
 * line of JSON.
 *
 * On V8 it adds up how the heap grows over short stretches, each too short for a collection. JSC tells only what is left after one, so there the collector
 * is switched off from outside and the process's resident memory is read.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import process from "node:process";
import { checkCancelled, Switch } from "../../switch/mod.ts";
import type { Row } from "../_bench.ts";
import type { Block } from "./_turns.ts";

const checks = 10_000_000;
const objects = 1_000_000;
const stretch = 100_000;

const runtime = process.argv[2] ?? "";
const storage = new AsyncLocalStorage<object>();
const kept: { last: unknown } = { last: undefined };

const check: Block = (times) => {
  for (let i = 0; i < times; i++) checkCancelled();
};
const getStore: Block = (times) => {
  for (let i = 0; i < times; i++) kept.last = storage.getStore();
};
const makeObject: Block = (times) => {
  for (let i = 0; i < times; i++) kept.last = { i };
};

const rows = await Switch.run((sw) =>
  storage.run(sw, () => {
    for (const block of [check, getStore, makeObject]) for (let i = 0; i < 20; i++) block(10_000); // warm
    const bare = { api: "getStore()", value: grown(getStore, checks) };
    const name = "a check, not cancelled: memory";
    const row = { name, runtime, unit: "B", bare, rounds: 1 };
    const value = grown(check, checks);
    return [
      { ...row, api: "checkCancelled()", value, goal: { atMost: 0, met: value < 0.5 } },
      { ...row, api: "an object, for comparison", value: grown(makeObject, objects) },
    ] satisfies Row[];
  })
);
console.log(JSON.stringify(rows));

/** How many bytes one call allocates. */
function grown(block: Block, times: number): number {
  const bytes = process.versions.bun === undefined ? heapGrowth(block, times) : residentGrowth(block, times);
  return Math.max(0, bytes) / times;
}

function heapGrowth(block: Block, times: number): number {
  let sum = 0;
  for (let done = 0; done < times; done += stretch) {
    const before = process.memoryUsage().heapUsed;
    block(stretch);
    sum += Math.max(0, process.memoryUsage().heapUsed - before); // less than nothing: a collection came in between
  }
  return sum;
}

function residentGrowth(block: Block, times: number): number {
  const before = process.memoryUsage().rss;
  block(times);
  return process.memoryUsage().rss - before;
}
