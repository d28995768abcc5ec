// Copyright 2026 the Sluice authors. MIT license.

/** The contract of a flow, as checks. */
export { checkFlow, type CheckFlowOptions, type FlowMaker, type FlowPair } from "./check_flow.ts";
