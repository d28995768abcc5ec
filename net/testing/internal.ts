// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/testing/`. Not for users: see `mod.ts`. */
export { pattern, seededRandom } from "./_random.ts";
export { type Check, expect, expectBytes, expectError, expectSame } from "./check.ts";
