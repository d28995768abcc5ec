// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/backends/deno/`. Not for users: nothing of it is. */
export { denoLookupError, type DenoPermissions, denoPermit } from "./_permission.ts";
