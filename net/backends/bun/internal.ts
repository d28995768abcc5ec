// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/backends/bun/`. Not for users: nothing of it is. */
export type { BunApi } from "./_listener.ts";
export { bunProvider } from "./_provider.ts";
