// Copyright 2026 the Sluice authors. MIT license.

import type { TLSSocket } from "node:tls";

/** The certificate that the other side has shown. */
export interface PeerCertificate {
  /** Whose it is: one line for each part of the name, such as `CN=example.com`. */
  readonly subject: string;
  /** Who says so, likewise. */
  readonly issuer: string;
  /** From when it is valid. */
  readonly validFrom: Date;
  /** Until when it is valid. */
  readonly validTo: Date;
  /** Its SHA-256 digest, as pairs of digits: `AB:CD:…`. */
  readonly fingerprint: string;
  /** All of it, in the format DER: for `new X509Certificate(der)` of `node:crypto`, say. */
  readonly der: Uint8Array<ArrayBuffer>;
}

/** What the other side of `socket` has shown, if anything. */
export function peerCertificate(socket: TLSSocket): PeerCertificate | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const { subject, issuer, validFrom, validTo, fingerprint256, raw } = certificate;
  return Object.freeze<PeerCertificate>({
    subject,
    issuer,
    validFrom: new Date(validFrom),
    validTo: new Date(validTo),
    fingerprint: fingerprint256,
    der: new Uint8Array(raw),
  });
}
