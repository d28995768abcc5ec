// Copyright 2026 the Sluice authors. MIT license.

/** Returns a number from 0 up to, but not including, 1. */
export type Random = () => number;

const systemRandom: Random = () => Math.random();

let source = systemRandom;

/**
 * The next random number. Every random choice of the library that a simulation should repeat takes
 * its number here.
 */
export function random(): number {
  return source();
}

/** Takes the random numbers from elsewhere, or with `undefined` from the system again. */
export function useRandom(other: Random | undefined): void {
  source = other ?? systemRandom;
}
