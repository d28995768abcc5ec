// Copyright 2026 the Sluice authors. MIT license.

/** Fifty small writes to a socket, gathered in one way or another: microseconds for all of them. */
import type { Bench } from "./_bench.ts";
import { innerBench } from "./_inner.ts";

export const bench: Bench = innerBench("small writes", { "small_writes.ts": {} }, { light: true });
