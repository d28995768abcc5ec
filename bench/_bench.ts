// Copyright 2026 the Sluice authors. MIT license.

/** What a bench is. Each file `bench/*.bench.ts` exports one as `bench`; the runner finds them by itself. */
import type { Runtime } from "../tests/_runtimes.ts";
import type { LoadGenerator } from "./_load.ts";

/** One claim about speed. */
export interface Bench {
  /** What is measured, for filters and tables. */
  readonly name: string;
  /** Measures it on `runtime`. */
  run(runtime: Runtime, settings: Settings): Promise<Row[]>;
}

/** How long and how often to measure. */
export interface Settings {
  /** How many rounds; in each one everybody has one turn. */
  readonly rounds: number;
  /** How long one turn is, in milliseconds. */
  readonly ms: number;
  /** How long to go before the first round, and before each turn a fifth of it, in milliseconds. */
  readonly warmup: number;
  /** Whether the bare program also runs against itself, to show what the machine's noise is. */
  readonly twice: boolean;
  /** Who makes the load. */
  readonly load: LoadGenerator;
}

/** One line of the table. */
export interface Row {
  /** The bench, or what of it this line is about. */
  readonly name: string;
  /** The runtime's name. */
  readonly runtime: string;
  /** What of ours was measured. */
  readonly api: string;
  /** The median, in `unit`. */
  readonly value: number;
  readonly unit: string;
  /** What it was measured beside. */
  readonly bare?: { readonly api: string; readonly value: number } | undefined;
  /** Ours divided by the bare one: the median over the rounds, and its 95 % interval. */
  readonly ratio?: { readonly median: number; readonly low: number; readonly high: number } | undefined;
  /** What the value, or the ratio, may be at most, where the design says so, and whether it is. */
  readonly goal?: { readonly of?: "ratio" | undefined; readonly atMost: number; readonly met: boolean } | undefined;
  /** How many rounds. */
  readonly rounds: number;
}
