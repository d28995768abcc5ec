// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/testing/`. Users import `mod.ts`. */
export { pattern, seededRandom } from "./_random.ts";
export { type Check, expect, expectBytes, expectError, expectSame } from "./check.ts";
