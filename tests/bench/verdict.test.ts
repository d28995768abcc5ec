// Copyright 2026 the Sluice authors. MIT license.

import { assertEquals } from "@std/assert";
import { estimate } from "../../bench/_stats.ts";
import { isEven, judgeDifference, judgeRatio } from "../../bench/_verdict.ts";
import { test } from "../_test.ts";

test("estimate() gives the median of an odd and of an even number of values", () => {
  assertEquals(estimate([3, 1, 2]).median, 2);
  assertEquals(estimate([4, 1, 3, 2]).median, 2.5);
});

test("estimate() leaves out as many of 15 values at each end as an interval of 95 % allows", () => {
  const values = Array.from({ length: 15 }, (_, i) => (i * 7) % 15 + 1);
  assertEquals(estimate(values), { median: 8, low: 4, high: 12 }); // from the 4th to the 12th: 96.5 %
});

test("estimate() gives all there is when there are too few for an interval", () => {
  assertEquals(estimate([5, 1, 3, 2, 4]), { median: 3, low: 1, high: 5 });
});

test("judgeRatio() asks that the interval reaches down to the goal", () => {
  assertEquals(judgeRatio({ median: 1.06, low: 1.05, high: 1.2 }, 1.05).met, true);
  assertEquals(judgeRatio({ median: 1.06, low: 1.051, high: 1.2 }, 1.05).met, false);
});

test("judgeRatio() asks that the median is at most 0.03 above the goal", () => {
  assertEquals(judgeRatio({ median: 1.079, low: 0.9, high: 1.2 }, 1.05).met, true);
  assertEquals(judgeRatio({ median: 1.09, low: 0.9, high: 1.2 }, 1.05).met, false);
});

test("judgeDifference() asks that the difference is at most the goal", () => {
  assertEquals(judgeDifference(2048, 2048).met, true);
  assertEquals(judgeDifference(2049, 2048).met, false);
});

test("isEven() asks that the interval reaches the middle, and the median lies there", () => {
  assertEquals(isEven({ median: 1.01, low: 0.98, high: 1.04 }), true);
  assertEquals(isEven({ median: 1.04, low: 0.9, high: 1.1 }), false);
  assertEquals(isEven({ median: 0.96, low: 0.9, high: 1.1 }), false);
});
