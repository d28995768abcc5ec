// Copyright 2026 the Sluice authors. MIT license.

/**
 * Everything that can be opened, cancelled at every moment in every way. `SLUICE_TORTURE_RUNS` says how many operations
 * each test cancels, and `SLUICE_TORTURE_SEED` with which seed it begins.
 */
import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { type Net, run, Switch } from "../../mod.ts";
import { memoryNet, mockClock, openCounts } from "../../net/testing/mod.ts";
import { seededRandom } from "../../net/testing/_random.ts";
import { turn, until } from "../_helpers.ts";
import { test } from "../_test.ts";
import { descriptors, descriptorsBack } from "./_helpers.ts";
import { carriers, carry, isExpected, means, momentAfter, moments, operations, withPlace } from "./_torture.ts";
import type { Operation } from "./_torture.ts";

const runs = Number(process.env.SLUICE_TORTURE_RUNS ?? 0);
const firstSeed = Number(process.env.SLUICE_TORTURE_SEED ?? 1);
const verbose = process.env.SLUICE_TORTURE_RUNS !== undefined;

/** How many operations are under way at once, and after how many everything must be closed. */
const beside = 8;
const perBatch = 256;

/** How long an operation may go on, in milliseconds: much longer than any of them needs. */
const patience = 15_000;

async function torture(net: Net, count: number): Promise<void> {
  const random = seededRandom(firstSeed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const ends: Record<string, number> = {};
  await withPlace(net, async (place) => {
    await turn();
    const before = openCounts();
    let unexpected = "";
    const one = async () => {
      const [operation, fn] = pick(Object.entries(operations)) as [string, Operation];
      const [way, cancel] = pick(Object.entries(means)) as [string, (typeof means)[string]];
      const k = Math.floor(random() * moments);
      const name = `"${operation}", cancelled by ${way} at ${k}`;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`It still runs after ${patience} ms`)), patience);
      });
      let end = "done";
      try {
        await Promise.race([cancel(place, (sw) => fn(place, sw), momentAfter(k)), late]);
      } catch (error) {
        end = (error as Error).constructor.name;
        if (!isExpected(error)) unexpected ||= `${name}: ${(error as Error).stack}`;
      } finally {
        clearTimeout(timer);
      }
      ends[end] = (ends[end] ?? 0) + 1;
    };
    for (let done = 0; done < count; done += perBatch) {
      const lanes = Array.from({ length: beside }, async () => {
        for (let i = 0; i < Math.min(perBatch, count) / beside && unexpected === ""; i++) await one();
      });
      await Promise.all(lanes);
      assert(unexpected === "", unexpected);
      assertEquals(place.reported, []);
      const isBack = () => JSON.stringify(openCounts()) === JSON.stringify(before);
      const end = performance.now() + patience;
      await until(() => isBack() || performance.now() > end);
      assertEquals(openCounts(), before, `after ${done + perBatch} operations`);
      if (verbose && done / perBatch % 40 === 0) {
        console.error(`${done + perBatch} operations: ${JSON.stringify(ends)}`);
      }
    }
  });
  assert((ends.Tortured ?? 0) + (ends.Cancelled ?? 0) > count / 20, JSON.stringify(ends));
  if (verbose) console.error(`${count} operations: ${JSON.stringify(ends)}`);
}

test("everything in a network in memory can be cancelled at every moment", async () => {
  const clock = mockClock();
  let over = false;
  // Time passes whenever nothing else can: slowly, so that work comes before it.
  const tick = async () => {
    while (!over) {
      for (let i = 0; i < 3; i++) await turn();
      clock.tryAdvance();
    }
  };
  const ticking = tick();
  try {
    await torture(memoryNet({ clock }), runs || 1500);
  } finally {
    over = true;
    await ticking;
  }
}, { timeout: 3_600_000 });

for (const [name, make] of Object.entries(carriers)) {
  test(`${name} loses no byte and doubles none, however often reading and writing are cancelled`, async () => {
    const random = seededRandom(firstSeed);
    let cancelled = 0;
    await run((env) =>
      withPlace(env.net, async (place) => {
        for (let done = 0; done < (runs || 400); done += 200) {
          await Switch.run(async (sw) => {
            cancelled += await carry(await make(place, sw), 200, random);
          });
        }
      })
    );
    assert(cancelled > 100, `Only ${cancelled} were cancelled`);
    if (verbose) console.error(`${name}: ${cancelled} operations were cancelled`);
  }, { timeout: 3_600_000 });
}

test("everything on real sockets can be cancelled at every moment", async () => {
  await run((env) => torture(env.net, 64)); // what a runtime opens late
  const before = descriptors();
  await run((env) => torture(env.net, runs || 1500));
  await descriptorsBack(before);
}, { timeout: 3_600_000 });
