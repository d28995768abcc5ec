// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { compare, type Contestant, estimate, rowsOf } from "../../bench/_compare.ts";
import { test } from "../_test.ts";

const subject = { name: "a bench", unit: "µs" };

test("estimate() returns the median of an odd and of an even number of values", () => {
  assertEquals(estimate([3, 1, 2]).median, 2);
  assertEquals(estimate([4, 1, 3, 2]).median, 2.5);
});

test("estimate() leaves out as many of 15 values at each end as an interval of 95 % allows", () => {
  const values = Array.from({ length: 15 }, (_, i) => (i * 7) % 15 + 1);
  assertEquals(estimate(values), { median: 8, low: 4, high: 12 }); // from the 4th to the 12th: 96.5 %
});

test("estimate() leaves out nothing when there are too few values for an interval", () => {
  assertEquals(estimate([5, 1, 3, 2, 4]), { median: 3, low: 1, high: 5 });
});

test("compare() reverses the order from one round to the next", async () => {
  const log: string[] = [];
  const logging = (api: string): Contestant => ({ api, turn: () => Promise.resolve(log.push(api)) });
  await compare(subject, [logging("a")], [logging("b"), logging("c")], 3);
  assertEquals(log.join(""), "abc" + "cba" + "abc");
});

test("rowsOf() takes the ratios of turns of the same round", () => {
  const ours = [{ api: "ours", costs: [2, 40] }];
  const beside = [{ api: "other", costs: [1, 10] }];
  assertEquals(rowsOf("node", { ...subject, ours, beside }), [{
    ...subject,
    runtime: "node",
    ours: "ours",
    rounds: 2,
    median: 21,
    beside: "other",
    besideMedian: 5.5,
    ratio: 3,
    low: 2,
    high: 4,
  }]);
});

test("rowsOf() compares with the library of another checkout only what is the same", () => {
  const costs = [1];
  const [ours, beside] = [["a", "b"], ["a, before", "b, before", "other"]].map((apis) =>
    apis.map((api) => ({ api, costs }))
  );
  assertEquals(
    rowsOf("node", { ...subject, ours, beside }).map((row) => [row.ours, row.beside]),
    [["a", "a, before"], ["a", "other"], ["b", "b, before"], ["b", "other"]],
  );
});

test("rowsOf() has no ratio beside what costs nothing", () => {
  const costs = [0, 0];
  const [row] = rowsOf("node", { ...subject, ours: [{ api: "a", costs }], beside: [{ api: "b", costs }] });
  assertEquals([row.median, row.besideMedian, "ratio" in row], [0, 0, false]);
});
