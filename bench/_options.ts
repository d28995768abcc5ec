// Copyright 2026 the Sluice authors. MIT license.

/** What the runner's command line says. */
import { parseArgs } from "node:util";

/** The runner's options. */
export interface Options {
  /** Parts of the names of the benches to run; none is all of them. */
  readonly filters: readonly string[];
  /** The runtimes to run on; none is all of them. */
  readonly runtimes: readonly string[];
  /** Where to write the results as JSON. */
  readonly json: string | undefined;
  readonly rounds: number;
  readonly ms: number;
  readonly warmup: number;
  readonly twice: boolean;
}

export const usage = `usage: bench/run.ts [options] [part of a name …]

  --runtime NAME  only on deno, bun or node; may be repeated
  --rounds N      how often everybody has a turn (7)
  --ms N          how long a turn is, in milliseconds (300)
  --warmup N      how long to go before the first turn, in milliseconds (500)
  --twice         also the bare program against itself, to show the noise
  --json FILE     also write the results as JSON`;

/** Reads the command line. Throws `RangeError` or `TypeError` for what makes no sense. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runtime: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: "7" },
      ms: { type: "string", default: "300" },
      warmup: { type: "string", default: "500" },
      twice: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  return {
    filters: positionals,
    runtimes: values.runtime,
    json: values.json,
    rounds: wholeNumber("rounds", values.rounds),
    ms: wholeNumber("ms", values.ms),
    warmup: wholeNumber("warmup", values.warmup),
    twice: values.twice,
  };
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`Cannot run benches as --${name} must be a whole number >= 1: current value is ${text}`);
}
