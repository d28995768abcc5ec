// Copyright 2026 the Sluice authors. MIT license.

/**
 * TLS over any flow that goes both ways, on both sides, through the runtime's own `node:tls`: {@linkcode tlsClient} and {@linkcode tlsServer}.
 *
 * ```ts ignore
 * import { tlsClient } from "@sluice/io/net/tls";
 *
 * const tls = await tlsClient(sw, flow, { serverName: "example.com", protocols: ["h2"] });
 * console.log(tls.protocol, tls.peerCertificate?.subject);
 * ```
 *
 * @module
 */

export { tlsClient } from "./client.ts";
export { TlsError, type TlsErrorCode, type TlsErrorContext } from "./errors.ts";
export type { Pem, TlsCertificate, TlsClientOptions, TlsOptions, TlsServerOptions } from "./options.ts";
export { tlsServer } from "./server.ts";
export type { PeerCertificate, TlsFlow } from "./tls_flow.ts";
