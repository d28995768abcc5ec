// Copyright 2026 the Sluice authors. MIT license.

import type { Clock } from "../../switch/mod.ts";

/** Certificates or a key in the PEM format (RFC 7468): text, or its bytes. What else is in it does not count. */
export type Pem = string | Uint8Array;

/**
 * A certificate and its key: what one side shows of itself.
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
  /** The certificate, and after it those that lead to an authority, which need not be among them. */
  readonly chain: Pem;
  /** The private key of the first certificate in the chain. */
  readonly key: Pem;
  /** What the key is encrypted with, if it is. */
  readonly passphrase?: string | undefined;
}

/** What both sides may set. */
export interface TlsOptions {
  /**
   * The protocols that may be spoken inside, the best one first (ALPN): `["h2", "http/1.1"]`. Where both sides name some and have none in common, the handshake
   * fails. A name is of 1 to 255 characters, all of them printable ASCII (RFC 7301 allows any bytes).
   *
   * @default {[]}
   */
  protocols?: readonly string[] | undefined;
  /**
   * How long the handshake may take, in milliseconds.
   *
   * @default {10_000}
   */
  handshakeTimeout?: number | undefined;
  /**
   * How long `close` may take, in milliseconds: to let bytes that were taken go out, and then to wait for the end of the
   * other side.
   *
   * @default {1000}
   */
  linger?: number | undefined;
  /**
   * Whether the other side must end with close_notify (RFC 8446, section 6.1).
   *
   * If it is `"required"`, a flow that ends without one is a `TlsError` `truncated`. An end of the flow proves nothing:
   * anyone on the way can forge it, and so cut the last part off what was sent (the truncation attack).
   *
   * If it is `"optional"`, an end of the flow between two records is the end of the stream: for peers that never send
   * close_notify. Choose it only where the protocol inside says where its messages end, as HTTP does by
   * `Content-Length`, and check that the last one is complete. An end in the middle of a record, or of the handshake, is
   * `truncated` all the same.
   *
   * @default {"required"}
   */
  closeNotify?: "required" | "optional" | undefined;
  /**
   * What these times run on.
   *
   * @default {the real clock}
   */
  clock?: Clock | undefined;
}

/** Options for `tlsClient`. */
export interface TlsClientOptions extends TlsOptions {
  /**
   * Whom the server's certificate must name: a host name, which is also told to the server (SNI), or an IP address. Not a
   * URL, and without a port. A trailing dot is left out. Only the certificate's alternative names count, as RFC 9525 says,
   * and not its subject; a `*` in one stands for a whole first label.
   */
  serverName: string;
  /**
   * The certificates of the authorities to trust, instead of those that the runtime knows.
   *
   * @default {those of the runtime}
   */
  authorities?: Pem | readonly Pem[] | undefined;
  /**
   * What to show to a server that asks who we are.
   *
   * @default {nothing}
   */
  certificate?: TlsCertificate | undefined;
  /**
   * `"dangerously-off"` accepts every certificate, for every name. Whoever is between us and the server can then read and change everything.
   *
   * @default {the certificate is verified}
   */
  verification?: "dangerously-off" | undefined;
}

/** Options for `tlsServer`. */
export interface TlsServerOptions extends TlsOptions {
  /**
   * What to show, or who says so: a function is asked in each handshake, with the name that the client asks for (SNI), in lower case and without a trailing dot, if it gives one. So one server has many
   * names, and a new certificate is used from the next handshake on. What the function throws fails the handshake, and so does a certificate that cannot be used. It is cancelled
   * when the handshake is, which does not wait for it then.
   */
  certificate: TlsCertificate | ((serverName: string | undefined) => TlsCertificate | Promise<TlsCertificate>);
  /**
   * The certificates of the authorities that vouch for clients. With them, a client must show a certificate, or the handshake fails. With TLS 1.3 the client
   * learns of that only from its first read, for its own handshake is over by then.
   *
   * @default {clients are not asked who they are}
   */
  authorities?: Pem | readonly Pem[] | undefined;
}
