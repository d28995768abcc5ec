// Copyright 2026 the Sluice authors. MIT license.

/** A source of random numbers from 0 (inclusive) to 1 (exclusive). */
export type Random = () => number;

const systemRandom: Random = () => Math.random();

let source = systemRandom;

/**
 * Returns the next random number. Every random choice that a simulation must reproduce uses this
 * function.
 */
export function random(): number {
  return source();
}

/** Replaces the source of random numbers; `undefined` restores the system's. */
export function useRandom(replacement: Random | undefined): void {
  source = replacement ?? systemRandom;
}
