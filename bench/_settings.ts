// Copyright 2026 the Sluice authors. MIT license.

/** What the runner's command line says. */
import { parseArgs } from "node:util";

/** How long and how often to measure. */
export interface Settings {
  /** How many rounds; in each one every contestant has one turn. */
  readonly rounds: number;
  /**
   * How long a turn of a server is, in milliseconds. A turn inside a process is a quarter of it.
   */
  readonly ms: number;
  /** How many connections are many. */
  readonly many: number;
  /** The root of another checkout, whose library is measured beside this one. */
  readonly before: string | undefined;
}

/** The runner's options. */
export interface Options extends Settings {
  /** Parts of the names of the benches to run; none is all of them. */
  readonly filters: readonly string[];
  /** The runtimes to run on; none is all of them. */
  readonly runtimes: readonly string[];
  /** Where to write the results, if anywhere. */
  readonly results: string | undefined;
  /** Whether it is a run whose results are kept in the repository. */
  readonly full: boolean;
}

const quick = { rounds: 3, ms: 200, many: 1000 };
const full: typeof quick = { rounds: 15, ms: 1000, many: 10_000 };

export const usage = `usage: deno task bench [options] [part of a bench's name …]
  --runtime NAME   only on deno, bun or node; may be repeated
  --rounds N       how many turns each contestant has (${quick.rounds}; full ${full.rounds})
  --ms N           how long a turn is, in milliseconds (${quick.ms}; full ${full.ms})
  --results PATH   write the results to this file, as JSON
  --before FOLDER  measure network benches also with the library of another checkout
  --full           measure long enough to tell small differences, beside Effect too, on ${full.many} connections
                   instead of ${quick.many}; without filters the results go to docs/performance-results.json`;

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
      results: { type: "string" },
      before: { type: "string" },
    },
  });
  const pace = values.full ? full : quick;
  const rounds = wholeNumber("rounds", values.rounds ?? pace.rounds);
  const ms = wholeNumber("ms", values.ms ?? pace.ms);
  const { before, runtime: runtimes, results } = values;
  return { ...pace, rounds, ms, before, filters: positionals, runtimes, results, full: values.full };
}

function wholeNumber(name: string, text: string | number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new RangeError(`Cannot run benches: --${name} must be a whole number >= 1, and is ${text}`);
}
