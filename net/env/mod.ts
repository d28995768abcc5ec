// Copyright 2026 the Sluice authors. MIT license.

/** Where real authority enters: {@linkcode run}. */

export { type Env, run, type RunOptions } from "./run.ts";
