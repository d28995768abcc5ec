// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { compare, type Contestant, rowsOf } from "../../bench/_compare.ts";
import { test } from "../_test.ts";

const subject = { name: "a bench", runtime: "node", unit: "µs" };

/** Somebody who always costs the same, and writes down when it was measured. */
function fake(api: string, cost: number, more: Partial<Contestant> = {}, log: string[] = []): Contestant {
  return {
    api,
    ...more,
    turn() {
      log.push(api);
      return Promise.resolve(cost);
    },
  };
}

test("compare() reverses the order from one round to the next", async () => {
  const log: string[] = [];
  await compare(subject, [fake("a", 1, {}, log)], [fake("b", 1, {}, log), fake("c", 1, {}, log)], 3);
  assertEquals(log.join(""), "abc" + "cba" + "abc");
});

test("compare() takes the ratios of turns of the same round", async () => {
  const costs = { a: [2, 40], b: [1, 10] };
  const from = (name: "a" | "b"): Contestant => ({ api: name, turn: () => Promise.resolve(costs[name].shift() ?? 0) });
  const [row] = await compare(subject, [from("a")], [from("b")], 2);
  assertEquals(row.ratio, { median: 3, low: 2, high: 4 });
});

test("compare() judges a goal beside the best bare one only", async () => {
  const rows = await compare(subject, [fake("ours", 2, { goal: 1.5 })], [fake("slow", 4), fake("best", 1)], 3);
  assertEquals(rows.map(({ bare, goal }) => [bare?.api, goal?.met]), [["slow", undefined], ["best", false]]);
});

test("compare() takes no foreign one for the best bare one, but keeps a limit beside it", async () => {
  const ours = fake("ours", 2, { goal: 1.05, limits: { Go: 1 } });
  const rows = await compare(subject, [ours], [fake("bare", 2), fake("Go", 1, { foreign: true })], 3);
  assertEquals(rows.map(({ goal }) => goal), [
    { of: "ratio", atMost: 1.05, met: true },
    { of: "ratio", atMost: 1, met: false },
  ]);
});

test("compare() says of a bare one beside itself whether it is even", async () => {
  const again = (cost: number) => fake("bare again", cost, { again: true, against: ["bare"] });
  const bare = [fake("bare", 1), fake("other", 1)];
  assertEquals((await compare(subject, [again(1.02)], bare, 3)).map(({ even }) => even), [true]);
  assertEquals((await compare(subject, [again(1.1)], bare, 3)).map(({ even }) => even), [false]);
});

test("rowsOf() lets the bare ones stand for themselves when there are none of ours", () => {
  const go = fake("Go", 1);
  const rows = rowsOf({ ...subject, runtime: "native" }, [], [go], new Map([[go, [3, 1, 2]]]));
  assertEquals(rows, [{ name: "a bench", runtime: "native", api: "Go", value: 2, unit: "µs", rounds: 3 }]);
});
