// Copyright 2026 the Sluice authors. MIT license.

/** What a check costs in a scope that is not cancelled. Prints its rows as one line of JSON. */
import { AsyncLocalStorage } from "node:async_hooks";
import { checkCancelled, Switch } from "../../switch/mod.ts";
import type { Row } from "../_bench.ts";
import { compare } from "../_compare.ts";
import { type Block, contestant, readSettings } from "./_turns.ts";

/** The design's promise, for Deno and Bun. */
const atMost = 30;

const { runtime, rounds, ms } = readSettings();
const storage = new AsyncLocalStorage<object>();

const rows = await Switch.run((sw) =>
  storage.run(sw, async () => {
    const check: Block = (times) => {
      for (let i = 0; i < times; i++) checkCancelled();
    };
    const checkSwitch: Block = (times) => {
      for (let i = 0; i < times; i++) sw.check();
    };
    const getStore: Block = (times) => {
      let found = 0;
      for (let i = 0; i < times; i++) if (storage.getStore() === sw) found++;
      if (found !== times) throw new Error("The context was lost");
    };
    return await compare(
      { name: "a check, not cancelled", runtime, unit: "ns" },
      [await contestant("checkCancelled()", check, ms), await contestant("sw.check()", checkSwitch, ms)],
      [await contestant("getStore()", getStore, ms)],
      rounds,
    );
  })
);
console.log(JSON.stringify(rows.map(withGoal)));

function withGoal(row: Row): Row {
  if (row.api !== "checkCancelled()" || row.value === null || runtime === "node") return row;
  return { ...row, goal: { atMost, met: row.value <= atMost } };
}
