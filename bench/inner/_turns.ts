// Copyright 2026 the Sluice authors. MIT license.

/** Turns of code that runs in this very process, in CPU time of the whole process: what the garbage collector's threads do counts too. */
import process from "node:process";
import { Switch } from "../../switch/mod.ts";
import type { Contestant } from "../_compare.ts";

/** Does something `times` times. */
export type Block = (times: number) => unknown;

/** What the runner tells a program in its arguments. */
export interface InnerSettings {
  readonly runtime: string;
  readonly rounds: number;
  /** How long one turn is, in milliseconds. */
  readonly ms: number;
}

/** Reads the arguments. */
export function readSettings(): InnerSettings {
  const [runtime = "", rounds = "7", ms = "100"] = process.argv.slice(2);
  return { runtime, rounds: Number(rounds), ms: Number(ms) };
}

/** A contestant whose turn is so many calls as take about `ms` milliseconds. The cost is in nanoseconds, divided by `divisor`. */
export async function contestant(api: string, block: Block, ms: number, divisor = 1): Promise<Contestant> {
  const times = await calibrate(block, ms);
  return { api, turn: async () => await timed(block, times) / times / divisor };
}

/** {@linkcode contestant} for code of ours, which runs in a scope, as it does in a program. Each turn has one of its own. */
export function scoped(api: string, block: Block, ms: number, divisor = 1): Promise<Contestant> {
  return contestant(api, (times) => Switch.run(() => block(times)), ms, divisor);
}

/** A block of asynchronous calls, one after the other. */
export function oneByOne(fn: () => Promise<unknown>): Block {
  return async (times) => {
    for (let i = 0; i < times; i++) await fn();
  };
}

/** Finds how many calls take about `ms` milliseconds, and makes them hot meanwhile. */
async function calibrate(block: Block, ms: number): Promise<number> {
  for (let times = 1;;) {
    const spent = await timed(block, times) / 1e6;
    if (spent >= ms / 2) return Math.max(1, Math.round(times * ms / spent));
    times *= spent < ms / 20 ? 10 : 2;
  }
}

async function timed(block: Block, times: number): Promise<number> {
  const before = process.cpuUsage();
  await block(times);
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}
