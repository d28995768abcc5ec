// Copyright 2026 the Sluice authors. MIT license.

import type { Clock } from "../../switch/mod.ts";

/** Certificates or a key in PEM format (RFC 7468), as text or bytes. Other blocks are ignored. */
export type Pem = string | Uint8Array;

/**
 * A certificate and its private key, which identify one side.
 *
 * @example From files
 * ```ts ignore
 * const certificate: TlsCertificate = {
 *   chain: await readFile("fullchain.pem"),
 *   key: await readFile("privkey.pem"),
 * };
 * ```
 */
export interface TlsCertificate {
  /** The certificate, followed by its intermediates; the root authority is optional. */
  readonly chain: Pem;
  /** The private key of the first certificate in the chain. */
  readonly key: Pem;
  /** The passphrase of an encrypted key. */
  readonly passphrase?: string | undefined;
}

/** The options of both sides. */
export interface TlsOptions {
  /**
   * The application protocols (ALPN) in order of preference: `["h2", "http/1.1"]`. If both sides
   * offer some but share none, the handshake fails. A name has 1 to 255 printable ASCII characters
   * (RFC 7301 allows any bytes).
   *
   * @default {[]}
   */
  protocols?: readonly string[] | undefined;
  /**
   * The timeout of the handshake, in milliseconds.
   *
   * @default {10_000}
   */
  handshakeTimeout?: number | undefined;
  /**
   * How long `close` flushes written bytes and waits for the peer's end, in milliseconds.
   *
   * @default {1000}
   */
  linger?: number | undefined;
  /**
   * Whether the peer must end with close_notify (RFC 8446, section 6.1).
   *
   * With `"required"`, a flow that ends without it is a `TlsError` `truncated`. The end of the flow
   * itself is not authenticated: an attacker on the path can forge it, and cut off the rest of the
   * data (a truncation attack).
   *
   * With `"optional"`, the end of the flow between two records is the end of the stream, for peers
   * that never send close_notify. Use it only if the application protocol delimits its messages, as
   * HTTP does by `Content-Length`, and check that the last one is complete. An end within a record,
   * or in the handshake, is always `truncated`.
   *
   * @default {"required"}
   */
  closeNotify?: "required" | "optional" | undefined;
  /**
   * The clock for these times.
   *
   * @default {the real clock}
   */
  clock?: Clock | undefined;
}

/** Options for `tlsClient`. */
export interface TlsClientOptions extends TlsOptions {
  /**
   * The name that the server's certificate must have: a host name, which is also sent to the server
   * (SNI), or an IP address; not a URL, and without a port. A trailing dot is removed. As in RFC
   * 9525, only the certificate's alternative names count, not its subject; a `*` in one matches a
   * whole first label.
   */
  serverName: string;
  /**
   * The certificates of the trusted authorities, instead of the runtime's.
   *
   * @default {those of the runtime}
   */
  authorities?: Pem | readonly Pem[] | undefined;
  /**
   * The client's certificate, for a server that requests one.
   *
   * @default {nothing}
   */
  certificate?: TlsCertificate | undefined;
  /**
   * `"dangerously-off"` accepts every certificate, for every name. An attacker between client and
   * server can then read and change everything.
   *
   * @default {the certificate is verified}
   */
  verification?: "dangerously-off" | undefined;
}

/** Options for `tlsServer`. */
export interface TlsServerOptions extends TlsOptions {
  /**
   * The server's certificate, or a function that returns it, called in each handshake with the name
   * that the client requests (SNI), if any, in lower case and without a trailing dot. So a server
   * can have many names, and replace a certificate from the next handshake on. If the function
   * throws, or returns an unusable certificate, the handshake fails. The function is cancelled with
   * the handshake, which then does not wait for it.
   */
  certificate: TlsCertificate | ((serverName: string | undefined) => TlsCertificate | Promise<TlsCertificate>);
  /**
   * The certificates of the authorities that issue client certificates. With them, a client must
   * send a certificate, or the handshake fails. With TLS 1.3 the client sees that failure only in
   * its first read, after its own handshake.
   *
   * @default {clients are not authenticated}
   */
  authorities?: Pem | readonly Pem[] | undefined;
}
