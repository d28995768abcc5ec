// Copyright 2026 the Sluice authors. MIT license.

/** What other rooms of the library use of `net/tls/`. Not for users: see `mod.ts`. */
export { TlsError } from "./errors.ts";
