// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/testing/memory/`. Users import `mod.ts`. */
export { MemoryDatagram } from "./_datagram.ts";
export { bare, isLoopback4, keyOf } from "./_hosts.ts";
export { type Bound, covers, type Interface, isWildcard, Ports } from "./_ports.ts";
export { memoryFeatures, memoryOptions } from "./_provider.ts";
export { MemoryStream } from "./_stream.ts";
export { systemError } from "./_system_error.ts";
export { Turn } from "./_turn.ts";
export { UnixSockets } from "./_unix.ts";
