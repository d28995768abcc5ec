// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/env/`. Users import `mod.ts`. */
export { run } from "./run.ts";
export {
  createWorkerManager,
  startThread,
  type Thread,
  type ThreadEvents,
  type Threads,
  threadsOf,
  type WorkerManager,
} from "./worker_manager.ts";
