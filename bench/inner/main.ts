// Copyright 2026 the Sluice authors. MIT license.

/**
 * `main.ts FILE EXPORT ROUNDS MS time|peak [API]`: measures the cases of a file, in turns of
 * `MS` milliseconds, and prints what each turn cost as one line of JSON. Time is CPU time of the
 * whole process, so that the threads of the garbage collector count. `peak` prints that of the
 * resident memory in a few calls of one API, in megabytes.
 */
import process from "node:process";
import { compare, type Contestant, type Measured } from "../_compare.ts";
import { readMemory } from "../_process.ts";
import type { Block, Case, Cases } from "./_case.ts";

const [file, name, rounds, ms, meter, api] = process.argv.slice(2);
const { [name]: cases }: Record<string, Cases> = await import(`./${file}`);

/** How many calls a peak is measured over: one is enough to try a bench. */
const callsToPeak = Number(rounds) > 1 ? 4 : 1;

const all: unknown[] = [];
await cases(async (one) => {
  all.push(meter === "peak" ? await peakOf(one) : await compareTime(one));
});
console.log(JSON.stringify(all));

async function compareTime({ name, unit = "ns", divisor = 1, ours, beside }: Case): Promise<Measured> {
  const contestants = async (blocks: Readonly<Record<string, Block>>) => {
    const list: Contestant[] = [];
    for (const [api, block] of Object.entries(blocks)) {
      const times = await calibrate(block);
      const scale = times * divisor * (unit === "µs" ? 1000 : 1);
      list.push({ api, turn: async () => await timed(block, times) / scale });
    }
    return list;
  };
  return await compare({ name, unit }, await contestants(ours), await contestants(beside), Number(rounds));
}

/** Finds how many calls take about `ms` milliseconds, and makes them hot meanwhile. */
async function calibrate(block: Block): Promise<number> {
  for (let times = 1;;) {
    const spent = await timed(block, times) / 1e6;
    if (spent >= Number(ms) / 2) return Math.max(1, Math.round(times * Number(ms) / spent));
    times *= spent < Number(ms) / 20 ? 10 : 2;
  }
}

/** The CPU time of `times` calls, in nanoseconds. */
async function timed(block: Block, times: number): Promise<number> {
  const before = process.cpuUsage();
  await block(times);
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

async function peakOf({ ours, beside }: Case): Promise<number> {
  await { ...ours, ...beside }[api](callsToPeak);
  return readMemory(process.pid, "VmHWM") / 1e6;
}
