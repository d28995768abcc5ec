// Copyright 2026 the Sluice authors. MIT license.

/** What the fuzzers share: random inputs, mutations of valid ones, and the smallest that still fails. */
import { seededRandom } from "../../net/testing/_random.ts";

/** A parser under attack. */
export interface Target {
  readonly name: string;
  /** Valid inputs, to be mutated. */
  readonly seeds: readonly Uint8Array[];
  /** Throws where a property does not hold. */
  check(input: Uint8Array<ArrayBuffer>): void | Promise<void>;
}

/** Random choices. */
export class Choices {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** A whole number from 0 up to, but not including, `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }
}

const interesting = [0, 1, 9, 10, 13, 32, 37, 45, 46, 48, 57, 58, 63, 64, 91, 93, 127, 128, 191, 192, 255];
const longestInput = 512;

/** Where inputs are made: as long as the longest seed, with room for what a mutation adds. */
const scratch = new Uint8Array(4096);

/** An input: random bytes, or a valid one with a few mutations. */
export function makeInput(choices: Choices, { seeds }: Target): Uint8Array<ArrayBuffer> {
  if (choices.below(16) === 0) return Uint8Array.from({ length: choices.below(64) }, () => choices.below(256));
  const seed = choices.of(seeds);
  scratch.set(seed);
  let size = seed.length;
  for (let left = choices.below(6); left > 0; left--) size = Math.min(mutate(choices, size, seeds), longestInput * 4);
  return scratch.slice(0, Math.min(size, Math.max(longestInput, seed.length + 64)));
}

/** Changes the first `size` bytes of the scratch. Returns how many there are afterwards. */
function mutate(choices: Choices, size: number, seeds: readonly Uint8Array[]): number {
  const at = choices.below(size + 1);
  const count = Math.min(size - at, 1 + choices.below(8));
  switch (choices.below(7)) {
    case 0:
      scratch[at] = choices.below(256);
      return Math.max(size, at + 1);
    case 1: {
      const added = choices.below(2);
      if (added === 1) scratch.copyWithin(at + 1, at, size);
      scratch[at] = choices.of(interesting);
      return Math.max(size + added, at + 1);
    }
    case 2:
      scratch.copyWithin(at, at + count, size);
      return size - count;
    case 3:
      scratch.copyWithin(at + count, at, size);
      return size + count;
    case 4:
      return at;
    case 5: {
      const other = choices.of(seeds);
      const rest = other.subarray(choices.below(other.length + 1));
      scratch.set(rest, at);
      return at + rest.length;
    }
    default: {
      const added = choices.below(40);
      scratch.copyWithin(at + added, at, size);
      scratch.fill(scratch[at], at, at + added);
      return size + added;
    }
  }
}

/** The smallest input, by leaving out parts of a failing one, that fails too. */
export async function shrink(target: Target, input: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  let smallest = input;
  for (let size = smallest.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= smallest.length;) {
      const shorter = Uint8Array.from([...smallest.subarray(0, at), ...smallest.subarray(at + size)]);
      if (await failureOf(target, shorter) === undefined) at += size;
      else smallest = shorter;
    }
  }
  return smallest;
}

/** What a check throws; `undefined` if it throws nothing. */
export function failureOf(target: Target, input: Uint8Array<ArrayBuffer>): Promise<unknown> | unknown {
  const failed = (error: unknown) => error ?? new Error("Nothing was thrown");
  try {
    return target.check(input)?.then(() => undefined, failed);
  } catch (error) {
    return failed(error);
  }
}

/** Runs `fn`, and throws what it throws if that is not one of the errors that it may throw. */
export function only<T>(types: readonly (new (...args: never[]) => Error)[], fn: () => T): T | undefined {
  try {
    return fn();
  } catch (error) {
    checkError(types, error);
    return undefined;
  }
}

/** Checks that an error is one of those that may be thrown, and can be logged. */
export function checkError(types: readonly (new (...args: never[]) => Error)[], error: unknown): void {
  if (!types.some((type) => error instanceof type)) throw error;
  const { message } = error as Error;
  // deno-lint-ignore no-control-regex
  if (message.length > 1000 || /[\0-\x1f\x7f-\x9f\u2028-\u202e]/.test(message)) throw new Error(`Message: ${message}`);
}

/** Throws unless both are the same as JSON. */
export function same(actual: unknown, expected: unknown): void {
  if (actual === expected) return;
  const [a, b] = [actual, expected].map((value) =>
    JSON.stringify(value, (_, part) => typeof part === "bigint" ? `${part}n` : part)
  );
  if (a !== b) throw new Error(`${a} is not ${b}`);
}
