// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/testing/memory/`. Not for users: see `mod.ts`. */
export { MemoryStream } from "./_stream.ts";
export { Turn } from "./_turn.ts";
