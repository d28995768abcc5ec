// Copyright 2026 the Sluice authors. MIT license.

/** The contract of a network, as checks. */
export { checkNet, type CheckNetOptions } from "./check_net.ts";
