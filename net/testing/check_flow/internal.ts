// Copyright 2026 the Sluice authors. MIT license.

/**
 * What other rooms of the library use of `net/testing/check_flow/`. Not for users: see `mod.ts`.
 */
export { bytesOf, expectEnd, inCancelledScope, readPattern, settleSoon, turns, writePieces } from "./_flow_check.ts";
export { checkFlow } from "./check_flow.ts";
