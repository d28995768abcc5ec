// Copyright 2026 the Sluice authors. MIT license.

/**
 * Tools for testing programs that use this library: mock clocks, networks and flows that are
 * scripted or in memory, contracts as test suites, and counts of what is still open.
 *
 * ```ts
 * import { mockClock } from "@sluice/io/net/testing";
 *
 * const clock = mockClock();
 * clock.setTime(1000);
 * ```
 *
 * @module
 */

export { type OpenCounts, openCounts } from "../../base/internal.ts";
export { type Check } from "./check.ts";
export { checkFlow, type CheckFlowOptions, type FlowMaker, type FlowPair } from "./check_flow/mod.ts";
export { checkNet, type CheckNetOptions } from "./check_net/mod.ts";
export { memoryNet, type MemoryNetOptions } from "./memory/mod.ts";
export {
  type Action,
  DeadlockError,
  type MockClock,
  mockClock,
  type MockClockOptions,
  type MockDatagram,
  type MockDatagramSocket,
  mockDatagramSocket,
  type MockDatagramSocketOptions,
  type MockFlow,
  mockFlow,
  type MockFlowOptions,
  type MockListener,
  mockListener,
  type MockListenerOptions,
  type MockNet,
  mockNet,
  type MockNetOptions,
  type MockOptions,
} from "./mock/mod.ts";
export {
  checkSeeds,
  type CheckSeedsOptions,
  type FaultPlan,
  formatTrace,
  type HostOptions,
  type LinkOptions,
  SeedError,
  type Sim,
  type SimDns,
  type SimDnsAnswer,
  type SimDnsFailure,
  type SimDnsOptions,
  type SimDnsQuery,
  type SimDnsRecords,
  type SimEvent,
  type SimFault,
  type SimHost,
  type SimOptions,
  type SimSocket,
  type SimSocketState,
  simulate,
} from "./simulate/mod.ts";
export { socketPair, type SocketPairOptions } from "./socket_pair.ts";
