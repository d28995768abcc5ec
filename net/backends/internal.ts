// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/backends/`. Not public. */
export { rejectionsHaveContext, systemProvider } from "./auto.ts";
