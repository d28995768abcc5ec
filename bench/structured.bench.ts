// Copyright 2026 the Sluice authors. MIT license.

/** One byte, and one number of 4 bytes, at a time: nanoseconds for each. */
import type { Bench } from "./_bench.ts";
import { innerBench } from "./_inner.ts";

export const bench: Bench = innerBench("bytes and numbers", { "structured.ts": {} }, { light: true });
