// Copyright 2026 the Sluice authors. MIT license.

/** Scopes, fibers, races and timeouts beside plain promises: nanoseconds each. */
import type { Bench } from "./_bench.ts";
import { innerBench } from "./_inner.ts";

export const bench: Bench = innerBench("scopes", { "scopes.ts": {} }, { light: true });
