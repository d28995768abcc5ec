// Copyright 2026 the Sluice authors. MIT license.

/** A whole network in one process, in virtual time. */
export { checkSeeds, type CheckSeedsOptions } from "./check_seeds.ts";
export { type FaultPlan, type SimFault } from "./fault_plan.ts";
export { formatTrace } from "./format_trace.ts";
export { SeedError } from "./seed_error.ts";
export { type HostOptions, type Sim, type SimHost } from "./sim.ts";
export { type SimOptions } from "./sim_options.ts";
export { simulate } from "./simulate.ts";
export {
  type LinkOptions,
  type SimDns,
  type SimDnsAnswer,
  type SimDnsFailure,
  type SimDnsOptions,
  type SimDnsQuery,
  type SimDnsRecords,
  type SimEvent,
  type SimSocket,
  type SimSocketState,
} from "./stack/mod.ts";
