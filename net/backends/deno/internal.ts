// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/backends/deno/`. Not public. */
export { denoLookupError, type DenoPermissions, denoPermit, denoShowsInterfaces } from "./_permission.ts";
