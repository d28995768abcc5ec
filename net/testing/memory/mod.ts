// Copyright 2026 the Sluice authors. MIT license.

/** A network in memory, for tests. */
export { memoryNet } from "./memory_net.ts";
export { type MemoryNetOptions } from "./memory_net_options.ts";
