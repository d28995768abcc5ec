// Copyright 2026 the Sluice authors. MIT license.

/** Eio's bench of cancelling: takes from whichever of two streams is ready, and cancels the other: nanoseconds each. */
import type { Bench } from "./_bench.ts";
import { innerBench } from "./_inner.ts";

export const bench: Bench = innerBench("take first", { "take_first.ts": {} }, { light: true });
