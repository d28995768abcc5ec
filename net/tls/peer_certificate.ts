// Copyright 2026 the Sluice authors. MIT license.

/** The certificate of the peer. */
export interface PeerCertificate {
  /**
   * The subject, in the same form on every runtime: one line per part of the name, such as
   * `CN=example.com`, or `L=Rome + O=Example` for a part with several attributes. Values are
   * escaped as in RFC 4514: a comma is `\,`, a plus sign `\+` and a newline `\0A`, so that a value
   * cannot look like another part.
   */
  readonly subject: string;
  /** The issuer, in the same form. */
  readonly issuer: string;
  /** The start of its validity. */
  readonly validFrom: Date;
  /** The end of its validity. */
  readonly validTo: Date;
  /** Its SHA-256 digest in hexadecimal: `AB:CD:...`. */
  readonly fingerprint: string;
  /** The whole certificate in DER, for example for `new X509Certificate(der)` of `node:crypto`. */
  readonly der: Uint8Array<ArrayBuffer>;
}
