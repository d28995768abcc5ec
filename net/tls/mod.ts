// Copyright 2026 the Sluice authors. MIT license.

/**
 * TLS clients and servers over any bidirectional flow, through the runtime's own `node:tls`:
 * {@linkcode tlsClient}, {@linkcode tlsServer}, and {@linkcode tlsHandler} for a whole server.
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

export { TlsError, type TlsErrorCode, type TlsErrorContext } from "./errors.ts";
export {
  type Pem,
  type TlsCertificate,
  type TlsClientOptions,
  type TlsOptions,
  type TlsServerOptions,
} from "./options.ts";
export { tlsClient } from "./tls_client.ts";
export { type PeerCertificate } from "./peer_certificate.ts";
export { type TlsConnection } from "./tls_connection.ts";
export { tlsHandler } from "./tls_handler.ts";
export { tlsServer } from "./tls_server.ts";
