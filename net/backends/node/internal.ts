// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/backends/node/`. Not for users: nothing of it is. */
export { NodeTcpOptions } from "./_option.ts";
export { nodeProvider } from "./_provider.ts";
export { bunQuirks, denoQuirks, noQuirks, oldNodeQuirks } from "./_quirks.ts";
