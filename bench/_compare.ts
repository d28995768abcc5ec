// Copyright 2026 the Sluice authors. MIT license.

/** Turns in alternating order, and the statistics of them. */

/** A program, or a piece of code, that is measured. */
export interface Contestant {
  /** Its name in the results. */
  readonly api: string;
  /** One turn: returns the cost of one operation. */
  turn(): Promise<number>;
}

/** What each turn of a contestant cost. */
export interface Costs {
  readonly api: string;
  readonly costs: readonly number[];
}

/** One comparison: the costs of the same operation in round after round. */
export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly Costs[];
  readonly beside: readonly Costs[];
}

/** A median, and the ends of an interval that holds the true median in 95 of 100 cases. */
export interface Estimate {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** One line of the results. */
export interface Row {
  readonly name: string;
  readonly runtime: string;
  /** What was measured. */
  readonly ours: string;
  /** What it was measured beside. */
  readonly beside?: string | undefined;
  readonly unit: string;
  readonly rounds: number;
  /** The median cost of ours, in `unit`. */
  readonly median: number;
  /** The median cost of the other one. */
  readonly besideMedian?: number | undefined;
  /**
   * Ours divided by the other one in the same round: the median over the rounds, and its interval.
   */
  readonly ratio?: number | undefined;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
}

/**
 * Gives each contestant one turn per round, in reversed order every other round, so that drift
 * falls on all alike.
 */
export async function takeTurns(contestants: readonly Contestant[], rounds: number): Promise<Costs[]> {
  const all = contestants.map(({ api, turn }) => ({ api, turn, costs: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? all : all.toReversed()) one.costs.push(await one.turn());
  }
  return all.map(({ api, costs }) => ({ api, costs }));
}

/** {@linkcode takeTurns} of `ours` and `beside` together. */
export async function compare(
  { name, unit }: { readonly name: string; readonly unit: string },
  ours: readonly Contestant[],
  beside: readonly Contestant[],
  rounds: number,
): Promise<Measured> {
  const all = await takeTurns([...ours, ...beside], rounds);
  return { name, unit, ours: all.slice(0, ours.length), beside: all.slice(ours.length) };
}

/** What an API is called that is measured with the library of another checkout. */
export function before(api: string): string {
  return `${api}, before`;
}

/** A row for each of ours beside each other one, and beside itself before. */
export function rowsOf(runtime: string, { name, unit, ours, beside }: Measured): Row[] {
  return ours.flatMap((our) => {
    const [rounds, { median }] = [our.costs.length, estimate(our.costs)];
    const row: Row = { name, runtime, ours: our.api, unit, rounds, median };
    const others = beside.filter(({ api }) => api === before(our.api) || !ours.some((one) => api === before(one.api)));
    if (others.length === 0) return [row];
    return others.map(({ api, costs }) => {
      const ratios = our.costs.map((cost, round) => cost / costs[round]).filter(Number.isFinite);
      const { median: ratio, low, high } = estimate(ratios);
      const pair = { ...row, beside: api, besideMedian: estimate(costs).median };
      return ratios.length === 0 ? pair : { ...pair, ratio, low, high };
    });
  });
}

/**
 * Where the middle of `values` lies. The interval is by order statistics, which assume no
 * distribution.
 */
export function estimate(values: readonly number[]): Estimate {
  const sorted = values.toSorted((a, b) => a - b);
  const last = sorted.length - 1;
  const rank = intervalRank(sorted.length);
  const median = (sorted[Math.floor(last / 2)] + sorted[Math.ceil(last / 2)]) / 2;
  return { median, low: sorted[rank], high: sorted[last - rank] };
}

/**
 * How many of `count` sorted numbers may be left out at each end, so that the rest holds the true
 * median with 95 %. With fewer than six numbers, none.
 */
function intervalRank(count: number): number {
  let left = 0; // the chance that the median lies below the number at `rank`
  let term = 0.5 ** count; // binomial(count, rank) / 2^count
  for (let rank = 0; rank < count; rank++) {
    left += term;
    if (2 * left > 0.05) return Math.max(0, rank - 1);
    term *= (count - rank) / (rank + 1);
  }
  return 0;
}
