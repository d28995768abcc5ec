// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/backends/`. Not for users: nothing of it is. */
export { rejectionsHaveContext, systemProvider } from "./auto.ts";
