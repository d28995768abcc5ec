// Copyright 2026 the Sluice authors. MIT license.

/** A check in a scope that is not cancelled: at most 30 ns on Deno and Bun, and no memory at all. */
import type { Bench } from "./_bench.ts";
import { innerBench } from "./_inner.ts";

/** Room for a whole stretch of allocations, so that no collection hides them. */
const roomy = ["--min-semi-space-size=64", "--max-semi-space-size=64"];

export const bench: Bench = innerBench("check", {
  "check.ts": {},
  "check_memory.ts": { flags: { node: roomy, deno: [`--v8-flags=${roomy.join(",")}`] }, env: { BUN_JSC_useGC: "0" } },
}, { light: true });
