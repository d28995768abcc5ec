// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/tls/`. Users import `mod.ts`. */
export { TlsError } from "./errors.ts";
