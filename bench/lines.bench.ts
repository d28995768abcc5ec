// Copyright 2026 the Sluice authors. MIT license.

/** Lines of a text that comes in chunks of 64 KiB, beside `node:readline` and web streams: nanoseconds for each. */
import type { Bench } from "./_bench.ts";
import { innerBench } from "./_inner.ts";

export const bench: Bench = innerBench("lines", { "lines.ts": {} }, { light: true });
