// Copyright 2026 the Sluice authors. MIT license.

/** What it costs to copy from one pipe in memory to another, in large chunks and in small ones: microseconds for each. */
import type { Bench } from "./_bench.ts";
import { innerBench } from "./_inner.ts";

export const bench: Bench = innerBench("copy, pipe to pipe", { "copy_pipe.ts": {} }, { light: true });
