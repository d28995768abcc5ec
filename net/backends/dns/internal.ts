// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/backends/dns/`. Not public. */
export { type NameProvider, serverNames, systemNames } from "./_resolver.ts";
