// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/backends/bun/`. Not public. */
export type { BunApi } from "./_listener.ts";
export { bunProvider } from "./_provider.ts";
