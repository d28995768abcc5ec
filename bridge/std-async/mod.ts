// Copyright 2026 the Sluice authors. MIT license.

/** Stand-in for `jsr:@std/async`: `delay` and `deadline` from its npm mirror (whose `mod.js` does not load). */
// @ts-ignore: the npm mirror ships JavaScript without types
import * as untypedDeadline from "deno-std/async/deadline.js";
// @ts-ignore: the npm mirror ships JavaScript without types
import * as untypedDelay from "deno-std/async/delay.js";

/** Options of {@linkcode delay}. */
export interface DelayOptions {
  /** Ends the delay early, with a rejection. */
  signal?: AbortSignal;
  /** Whether the process stays alive for the delay. */
  persistent?: boolean;
}

/** Options of {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Ends the wait early, with a rejection. */
  signal?: AbortSignal;
}

interface Async {
  delay(ms: number, options?: DelayOptions): Promise<void>;
  deadline<T>(p: Promise<T>, ms: number, options?: DeadlineOptions): Promise<T>;
}

// deno-lint-ignore no-explicit-any
const std: Async = { ...(untypedDelay as any), ...(untypedDeadline as any) };

export const delay: Async["delay"] = std.delay;
export const deadline: Async["deadline"] = std.deadline;
