// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/testing/memory/`. Users import `mod.ts`. */
export { MemoryStream } from "./_stream.ts";
export { Turn } from "./_turn.ts";
