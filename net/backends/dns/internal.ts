// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/backends/dns/`. Not for users: nothing of it is. */
export { type NameProvider, serverNames, systemNames } from "./_resolver.ts";
