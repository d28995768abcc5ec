// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/wrap/`. Users import `mod.ts`. */
export { discard, untilOpened } from "./_lifetime.ts";
export { connectionWith } from "./wrap_connection.ts";
