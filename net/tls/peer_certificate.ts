// Copyright 2026 the Sluice authors. MIT license.

/** The certificate that the other side has shown. */
export interface PeerCertificate {
  /**
   * Whose it is, the same on every runtime: one line for each part of the name, such as `CN=example.com`, or
   * `L=Rome + O=Example` where parts belong together. Values are escaped as in RFC 4514: a comma is `\,`, a plus sign
   * `\+` and a newline `\0A`, so that no value can look like another part.
   */
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
