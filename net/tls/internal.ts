// Copyright 2026 the Sluice authors. MIT license.

/** What the rest of the library imports from `net/tls/`. Users import `mod.ts`. */
export { checkProtocols } from "./_checks.ts";
export { checkServerName } from "./_server_name.ts";
export { TlsError } from "./errors.ts";
export { tlsClientWith } from "./tls_client.ts";
