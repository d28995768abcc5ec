// Copyright 2026 the Sluice authors. MIT license.

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { pattern, seededRandom } from "../../../net/testing/_random.ts";
import { test } from "../../_test.ts";

test("seededRandom() returns the same numbers for the same seed, on every runtime", () => {
  const random = seededRandom(1);
  assertEquals([random(), random(), random()], [0.6270739405881613, 0.002735721180215478, 0.5274470399599522]);
});

test("seededRandom() returns other numbers for another seed", () => {
  assertNotEquals(seededRandom(1)(), seededRandom(2)());
});

test("seededRandom() returns numbers in [0, 1), evenly distributed", () => {
  const random = seededRandom(7);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 4000; i++) counts[Math.floor(random() * 4)]++;
  assert(counts.every((count) => count > 900 && count < 1100), String(counts));
});

test("pattern() differs at every offset", () => {
  assertEquals(pattern(0, 1000).subarray(300, 400), pattern(300, 100));
  for (let shift = 1; shift < 300; shift++) assertNotEquals(pattern(0, 16), pattern(shift, 16));
});
