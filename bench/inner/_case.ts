// Copyright 2026 the Sluice authors. MIT license.

/** What the files of this folder export: cases, which `main.ts` measures. */
import { Switch } from "../../switch/mod.ts";

/** Does something `times` times. */
export type Block = (times: number) => unknown;

/** The same thing done in several ways. */
export interface Case {
  readonly name: string;
  /** The default is `ns`. */
  readonly unit?: "ns" | "µs" | "ms/MB" | undefined;
  /** How many operations one call is, or bytes for `ms/MB`. The default is 1. */
  readonly divisor?: number | undefined;
  readonly ours: Readonly<Record<string, Block>>;
  readonly beside: Readonly<Record<string, Block>>;
}

/** Passes each case to `measure`, in whatever surroundings it needs. */
export type Cases = (measure: (one: Case) => Promise<void>) => Promise<void>;

/** A block of asynchronous calls, one after the other. */
export function oneByOne(fn: () => Promise<unknown>): Block {
  return async (times) => {
    for (let i = 0; i < times; i++) await fn();
  };
}

/** A block that runs in a scope of its own, as code of ours does in a program. */
export function scoped(block: Block): Block {
  return (times) => Switch.run(() => block(times));
}
