// Copyright 2026 the Sluice authors. MIT license.

/**
 * Returns a generator of pseudo-random numbers (mulberry32): the same seed yields the same numbers
 * on every runtime.
 *
 * @param seed Any number; its low 32 bits count.
 * @returns A function that returns a number from 0 up to, but not including, 1.
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Returns `size` bytes of a fixed, long pattern, starting at position `from`. */
export function pattern(from: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = Math.imul(from + i + 1, 0x9e3779b1) >>> 24;
  return bytes;
}
