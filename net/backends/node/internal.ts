// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/backends/node/`. Not public. */
export { interfaceAddresses } from "./_interface_addresses.ts";
export { NodeTcpOptions } from "./_option.ts";
export { nodeProvider } from "./_provider.ts";
export { bunQuirks, denoQuirks, noQuirks, oldNodeQuirks } from "./_quirks.ts";
