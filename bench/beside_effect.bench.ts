// Copyright 2026 the Sluice authors. MIT license.

/** Scopes, fibers, races and timeouts beside those of Effect 4, which are to cost five times as much at least, and of Effection 4: nanoseconds each. */
import type { Bench } from "./_bench.ts";
import { innerBench } from "./_inner.ts";

export const bench: Bench = innerBench("scopes beside Effect", { "beside_effect.ts": {} });
