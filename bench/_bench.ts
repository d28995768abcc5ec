// Copyright 2026 the Sluice authors. MIT license.

/** What a bench is. Each file `bench/*.bench.ts` exports one as `bench`; the runner finds them by itself. */
import type { Runtime } from "../tests/_runtimes.ts";
import type { LoadGenerator } from "./_load.ts";
import type { Estimate } from "./_stats.ts";

/** One claim about speed. */
export interface Bench {
  /** What is measured, for filters and tables. */
  readonly name: string;
  /** Whether it has no goal to prove, so that a full run measures it as a quick one does. */
  readonly light?: boolean | undefined;
  /** Whether some of it is not of any runtime: programs in C and Go, which stand beside the others. */
  readonly native?: boolean | undefined;
  /** Measures it on `runtime`. */
  run(runtime: Runtime, settings: Settings): Promise<Row[]>;
}

/** How long and how often to measure. */
export interface Pace {
  /** How many rounds; in each one everybody has one turn. */
  readonly rounds: number;
  /** How long one turn is, in milliseconds. */
  readonly ms: number;
  /** How long to go before the first round, and before each turn a twentieth of it, in milliseconds. */
  readonly warmup: number;
}

/** What a bench is told by the runner. */
export interface Settings extends Pace {
  /** Whether the bare program also runs against itself, to show what the machine's noise is. */
  readonly twice: boolean;
  /** How many connections there are where there are to be many. */
  readonly many: number;
  /** Who makes the load. */
  readonly load: LoadGenerator;
  /** What runs the compiled programs. */
  readonly native: Runtime;
}

/** What a ratio, a difference or a value may be at most, and whether it is. */
export interface Goal {
  /** The default is the value itself. */
  readonly of?: "ratio" | "difference" | undefined;
  /** The ratio, or else so many of the row's units. */
  readonly atMost: number;
  readonly met: boolean;
}

/** One line of the table. */
export interface Row {
  /** The bench, or what of it this line is about. */
  readonly name: string;
  /** The runtime's name. */
  readonly runtime: string;
  /** What was measured. */
  readonly api: string;
  /** The median, in `unit`; `null` when the program is missing on this machine. */
  readonly value: number | null;
  readonly unit: string;
  /** What it was measured beside. */
  readonly bare?: { readonly api: string; readonly value: number } | undefined;
  /** Ours divided by the bare one: the median over the rounds, and its 95 % interval. */
  readonly ratio?: Estimate | undefined;
  /** What the design asks for, where it does. */
  readonly goal?: Goal | undefined;
  /** Of a bare program beside itself: whether the ratio is 1, as far as the goals can be told. */
  readonly even?: boolean | undefined;
  /** How many rounds. */
  readonly rounds: number;
}

/** Several benches as one. */
export function together(name: string, benches: readonly Bench[]): Bench {
  return {
    name,
    async run(runtime, settings) {
      const rows: Row[] = [];
      for (const bench of benches) rows.push(...await bench.run(runtime, settings));
      return rows;
    },
  };
}
