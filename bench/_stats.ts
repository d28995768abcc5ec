// Copyright 2026 the Sluice authors. MIT license.

/** What a list of noisy numbers says. */

/** A median and how far it can be trusted. */
export interface Estimate {
  /** The median. */
  readonly median: number;
  /** The ends of an interval that holds the true median in at least 95 of 100 cases, as far as so few numbers can tell. */
  readonly low: number;
  readonly high: number;
}

/** Where the middle of `values` lies. The interval is by order statistics: it asks nothing of how the numbers are distributed. */
export function estimate(values: readonly number[]): Estimate {
  const sorted = [...values].sort((a, b) => a - b);
  const last = sorted.length - 1;
  const rank = intervalRank(sorted.length);
  const median = (sorted[Math.floor(last / 2)] + sorted[Math.ceil(last / 2)]) / 2;
  return { median, low: sorted[rank], high: sorted[last - rank] };
}

/**
 * How many numbers of a sorted list of `count` may be left out at each end, so that what is left holds the true median with 95 %. Fewer than six numbers
 * cannot: then none is left out.
 */
function intervalRank(count: number): number {
  let left = 0; // the chance that the median lies below the number at `rank`
  let term = 0.5 ** count; // binomial(count, rank) / 2^count
  for (let rank = 0;; rank++) {
    left += term;
    if (2 * left > 0.05) return Math.max(0, rank - 1);
    term *= (count - rank) / (rank + 1);
  }
}
