// Copyright 2026 the Sluice authors. MIT license.

/** {@linkcode run}, the entry point of programs, which grants access to the system. */

export { type Env, run, type RunOptions } from "./run.ts";
export type { WorkerManager } from "./worker_manager.ts";
