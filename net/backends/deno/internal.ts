// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/backends/deno/`. Not public. */
export type { DenoApi } from "./_api.ts";
export { denoLookupError, type DenoPermissions, denoPermit, denoShowsInterfaces } from "./_permission.ts";
export { denoProvider } from "./_provider.ts";
