// Copyright 2026 the Sluice authors. MIT license.

/** What a runtime supplies for TLS. It knows no flow, no switch and no cancellation, and never waits; its arguments have been checked. */
import type { StreamEnd, StreamEvents } from "../../flow/internal.ts";
import type { TlsFailure } from "./errors.ts";
import type { PeerCertificate } from "./peer_certificate.ts";

/** A certificate and its key, as blocks of PEM and nothing else. */
export interface TlsIdentity {
  /** The certificate first, and after it those that lead to an authority. */
  readonly chain: readonly string[];
  readonly key: string;
  readonly passphrase: string | undefined;
}

/** What an endpoint of either side is told. */
export interface TlsSettings {
  /** What to show; a server always has one. */
  readonly identity: TlsIdentity | undefined;
  /** Whom to trust, as blocks of PEM. Without them a client trusts whom the runtime does, and a server asks for no certificate. */
  readonly authorities: readonly string[] | undefined;
  /** What to agree on by ALPN, the best one first. */
  readonly protocols: readonly string[] | undefined;
}

/** What a client is told beside that. */
export interface TlsClientSettings extends TlsSettings {
  /** Whom the certificate must name. A host name is told to the server too (SNI); an IP address is not (RFC 6066). */
  readonly serverName: string;
  /** Whether the certificate is verified. */
  readonly verify: boolean;
}

/** What both sides have agreed on. */
export interface HandshakeResult {
  /** The protocol (ALPN), if they named any. */
  readonly protocol: string | undefined;
  /** What the other side has shown. */
  readonly peerCertificate: PeerCertificate | undefined;
  /** The version of TLS. */
  readonly version: string;
}

/** What a {@linkcode TlsEndpoint} tells its one user. {@linkcode StreamEvents} are those of the plaintext. */
export interface TlsEvents extends StreamEvents {
  /** The handshake is done, and the peer is who it should be. No plaintext has been lost. */
  secured(): void;
  /** {@linkcode TlsEndpoint.decrypt} may be called, once. */
  wantsRecord(): void;
  /** Bytes for the peer. Nobody writes to their memory any more. */
  encrypted(bytes: Uint8Array): void;
  /** The endpoint has ended the sending direction by itself. */
  finished(): void;
  /** TLS failed, in the handshake or later. */
  failed(failure: TlsFailure): void;
  /** The endpoint was given up, by itself or by {@linkcode TlsEndpoint.destroy}. Nothing is read or sent any more. */
  closed(): void;
}

/** One end of a TLS connection: a stream of plaintext, over bytes that its user carries to the peer and back. Before the handshake is done it gives and takes none. */
export interface TlsEndpoint extends StreamEnd {
  /**
   * What the handshake came to, once it is done.
   *
   * @throws {TlsFailure} If the peer's certificate cannot be read.
   */
  result(): HandshakeResult;
  /** Takes bytes from the peer: a record, or a part of one. Their memory belongs to the endpoint then. */
  decrypt(bytes: Uint8Array<ArrayBuffer>): void;
  /** Gives everything back, without a farewell. */
  destroy(): void;
}

/** TLS 1.2 and 1.3, as a runtime has it. */
export interface TlsEngine {
  /**
   * Reads a certificate, a block of PEM.
   *
   * @throws The runtime's own error, when it cannot be read.
   */
  checkX509(certificate: string): void;
  /**
   * Whether the key is that of the first certificate in the chain.
   *
   * @throws The runtime's own error, when the key cannot be read.
   */
  hasOwnKey(identity: TlsIdentity): boolean;
  /**
   * Checks that the runtime lets a certificate be shown: it may refuse keys and signatures that are
   * too weak.
   *
   * @throws The runtime's own error, when it refuses.
   */
  checkIdentity(identity: TlsIdentity): void;
  /** Begins a handshake as the client. */
  connect(settings: TlsClientSettings, events: TlsEvents): TlsEndpoint;
  /** Begins a handshake as the server. A client must show a certificate if there are authorities. */
  accept(settings: TlsSettings, events: TlsEvents): TlsEndpoint;
}
