// Copyright 2026 the Sluice authors. MIT license.

/** The contract of a network, as checks for any test runner. */
export { checkNet, type CheckNetOptions } from "./check_net.ts";
