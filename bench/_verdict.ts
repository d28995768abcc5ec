// Copyright 2026 the Sluice authors. MIT license.

/** When a goal is met. */
import type { Goal } from "./_bench.ts";
import type { Estimate } from "./_stats.ts";

/** How far a median may be off, as nobody measures better than that. */
const tolerance = 0.03;

/** Judges a ratio: the interval must reach down to `atMost`, and the median be at most 0.03 above it. */
export function judgeRatio({ median, low }: Estimate, atMost: number): Goal {
  return { of: "ratio", atMost, met: low <= atMost && median <= atMost + tolerance };
}

/** Judges a difference: its median must be at most `atMost`. */
export function judgeDifference(median: number, atMost: number): Goal {
  return { of: "difference", atMost, met: median <= atMost };
}

/** Judges a program beside itself: the interval must reach from 0.97 to 1.03 somewhere, and the median lie there. */
export function isEven({ median, low, high }: Estimate): boolean {
  return low <= 1 + tolerance && high >= 1 - tolerance && Math.abs(median - 1) <= tolerance;
}
