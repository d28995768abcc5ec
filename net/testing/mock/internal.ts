// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of `net/testing/` imports from `net/testing/mock/`. Users import `mod.ts`. */
export { DeadlockError } from "./deadlock_error.ts";
