// Copyright 2026 the Sluice authors. MIT license.

/** What the runner's command line says. */
import { parseArgs } from "node:util";
import type { Pace } from "./_bench.ts";

/** The runner's options. */
export interface Options extends Pace {
  /** Parts of the names of the benches to run; none is all of them. */
  readonly filters: readonly string[];
  /** The runtimes to run on; none is all of them. */
  readonly runtimes: readonly string[];
  /** Whether to prove the goals. */
  readonly full: boolean;
  /** Where to write the results. */
  readonly results: string | undefined;
  /** Whether to keep what an earlier run has written there. */
  readonly resume: boolean;
  readonly twice: boolean;
  /** How many connections there are where there are to be many. */
  readonly many: number;
}

/** A look at everything. */
const quick: Pace & { many: number } = { rounds: 3, ms: 200, warmup: 200, many: 1000 };

/** What the goals ask for. */
const full: typeof quick = { rounds: 15, ms: 2000, warmup: 3000, many: 10_000 };

/** How what has no goal is measured in a full run, where it does not go faster anyway. */
export const light: Pace = { rounds: 7, ms: 300, warmup: 500 };

export const usage = `usage: bench/run.ts [options] [part of a name …]

  --full            prove the goals: install what stands beside, take turns as long and as often as the goals ask,
                    keep the results in bench/results/, and put the table into the README
  --runtime NAME    only on deno, bun, node or native (Go and C); may be repeated
  --rounds N        how often everybody has a turn (${quick.rounds}; full ${full.rounds})
  --ms N            how long a turn is, in milliseconds (${quick.ms}; full ${full.ms})
  --warmup N        how long to go before the first turn, in milliseconds (${quick.warmup}; full ${full.warmup})
  --many N          how many connections are many (${quick.many}; full ${full.many})
  --twice           also bare programs against themselves, to show the noise (full: always)
  --results FOLDER  where to keep the results; the README is left alone then
  --resume          go on where a run of the same kind has stopped that kept its results there`;

/** Reads the command line. Throws `RangeError` or `TypeError` for what makes no sense. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      full: { type: "boolean", default: false },
      runtime: { type: "string", multiple: true, default: [] },
      rounds: { type: "string" },
      ms: { type: "string" },
      warmup: { type: "string" },
      many: { type: "string" },
      twice: { type: "boolean", default: false },
      results: { type: "string" },
      resume: { type: "boolean", default: false },
    },
  });
  const standard = values.full ? full : quick;
  const number = (name: keyof typeof standard) => wholeNumber(name, values[name] ?? String(standard[name]));
  return {
    filters: positionals,
    runtimes: values.runtime,
    full: values.full,
    results: values.results,
    resume: values.resume,
    twice: values.twice || values.full,
    rounds: number("rounds"),
    ms: number("ms"),
    warmup: number("warmup"),
    many: number("many"),
  };
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`Cannot run benches as --${name} must be a whole number >= 1: current value is ${text}`);
}
