// Copyright 2026 the Sluice authors. MIT license.

/**
 * What a runtime supplies for TLS. It does not know flows, switches or cancellation, and never
 * waits; its arguments are checked.
 */
import type { StreamEnd, StreamEvents } from "../../flow/internal.ts";
import type { TlsFailure } from "./errors.ts";
import type { PeerCertificate } from "./peer_certificate.ts";

/** A certificate and its key, as PEM blocks. */
export interface TlsIdentity {
  /** The certificate, followed by its intermediates. */
  readonly chain: readonly string[];
  readonly key: string;
  readonly passphrase: string | undefined;
}

/** The settings of an endpoint on either side. */
export interface TlsSettings {
  /** The own certificate; a server always has one. */
  readonly identity: TlsIdentity | undefined;
  /**
   * The trusted authorities, as PEM blocks. Without them a client trusts the runtime's, and a
   * server does not request a certificate.
   */
  readonly authorities: readonly string[] | undefined;
  /** The ALPN protocols, in order of preference. */
  readonly protocols: readonly string[] | undefined;
}

/** The settings of a client. */
export interface TlsClientSettings extends TlsSettings {
  /**
   * The name that the certificate must have. A host name is sent to the server (SNI), an IP address
   * is not (RFC 6066).
   */
  readonly serverName: string;
  /** Whether the certificate is verified. */
  readonly verify: boolean;
}

/** The result of a handshake. */
export interface HandshakeResult {
  /** The negotiated ALPN protocol, if any. */
  readonly protocol: string | undefined;
  /** The peer's certificate. */
  readonly peerCertificate: PeerCertificate | undefined;
  /** The version of TLS. */
  readonly version: string;
}

/** The events of a {@linkcode TlsEnd}; {@linkcode StreamEvents} concern the plaintext. */
export interface TlsEvents extends StreamEvents {
  /** The handshake has succeeded, and the peer is authenticated. No plaintext has been lost. */
  secured(): void;
  /** {@linkcode TlsEnd.decrypt} can be called once. */
  wantsRecord(): void;
  /** Bytes to send to the peer. Their memory is not reused. */
  encrypted(bytes: Uint8Array): void;
  /** The endpoint has closed the sending direction on its own. */
  finished(): void;
  /** TLS failed, in the handshake or later. */
  failed(failure: TlsFailure): void;
  /** The endpoint was destroyed, by {@linkcode TlsEnd.destroy} or on its own. */
  closed(): void;
}

/**
 * One end of a TLS connection: a stream of plaintext. Its user carries the encrypted bytes to the
 * peer and back. It passes no plaintext before the handshake is done.
 */
export interface TlsEnd extends StreamEnd {
  /** Returns the result of the handshake, once it is done. */
  result(): HandshakeResult;
  /** Takes bytes from the peer: a record or a part of one. It owns their memory. */
  decrypt(bytes: Uint8Array<ArrayBuffer>): void;
  /** Releases everything without sending close_notify. */
  destroy(): void;
}

/** TLS 1.2 and 1.3 of a runtime. */
export interface TlsEngine {
  /**
   * Checks that a certificate, a PEM block, can be parsed.
   *
   * @throws The runtime's own error if it cannot.
   */
  checkX509(certificate: string): void;
  /**
   * Reports whether the key belongs to the first certificate in the chain.
   *
   * @throws The runtime's own error if the key cannot be parsed.
   */
  isKeyOfCertificate(identity: TlsIdentity): boolean;
  /**
   * Checks that the runtime accepts a certificate as its own: it may reject weak keys and
   * signatures.
   *
   * @throws The runtime's own error if it does not.
   */
  checkIdentity(identity: TlsIdentity): void;
  /** Starts a handshake as the client. */
  connect(settings: TlsClientSettings, events: TlsEvents): TlsEnd;
  /** Starts a handshake as the server. With authorities, a client must send a certificate. */
  accept(settings: TlsSettings, events: TlsEvents): TlsEnd;
}
