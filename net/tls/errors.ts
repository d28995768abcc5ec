// Copyright 2026 the Sluice authors. MIT license.

/**
 * What went wrong with TLS itself, the same on every runtime:
 *
 * - `certificate_untrusted`: the other side showed no certificate that leads to a trusted authority, or none at all;
 * - `certificate_expired`: it showed one that is not valid now (where the runtime does not tell, on Deno, that is `certificate_untrusted`);
 * - `name_mismatch`: it showed a trusted one, for somebody else;
 * - `handshake_timeout`: the handshake took too long;
 * - `truncated`: the connection ended without a word of farewell (`close_notify`), so that somebody may have cut off the rest;
 * - `protocol`: the other side speaks no TLS, refused what we offered, or broke the rules; or what came was tampered with.
 *
 * @example Branching on the code
 * ```ts
 * import { TlsError, type TlsErrorCode } from "@sluice/io/net/tls";
 * import { assert } from "@std/assert";
 *
 * const suspicious: readonly TlsErrorCode[] = ["certificate_untrusted", "name_mismatch"];
 * assert(suspicious.includes(new TlsError("name_mismatch", "start TLS").code));
 * ```
 */
export type TlsErrorCode =
  | "certificate_untrusted"
  | "certificate_expired"
  | "name_mismatch"
  | "handshake_timeout"
  | "truncated"
  | "protocol";

const descriptions: Readonly<Record<TlsErrorCode, string>> = {
  certificate_untrusted: "the certificate of the other side is not trusted",
  certificate_expired: "the certificate of the other side is not valid now",
  name_mismatch: "the certificate of the other side is for another name",
  handshake_timeout: "the handshake took too long",
  truncated: "the connection was cut without close_notify",
  protocol: "the TLS protocol failed",
};

/** What the codes of `node:tls` mean; all others are `protocol`. They are those of OpenSSL's X509_V_ERR_*, but for the first two. */
const codes: Readonly<Record<string, TlsErrorCode>> = {
  ERR_TLS_CERT_ALTNAME_INVALID: "name_mismatch",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "certificate_untrusted",
  HOSTNAME_MISMATCH: "name_mismatch",
  CERT_HAS_EXPIRED: "certificate_expired",
  CERT_NOT_YET_VALID: "certificate_expired",
  UNABLE_TO_GET_ISSUER_CERT: "certificate_untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate_untrusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate_untrusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate_untrusted",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate_untrusted",
  CERT_SIGNATURE_FAILURE: "certificate_untrusted",
  CERT_CHAIN_TOO_LONG: "certificate_untrusted",
  CERT_REVOKED: "certificate_untrusted",
  INVALID_CA: "certificate_untrusted",
  INVALID_PURPOSE: "certificate_untrusted",
  PATH_LENGTH_EXCEEDED: "certificate_untrusted",
  CERT_UNTRUSTED: "certificate_untrusted",
  CERT_REJECTED: "certificate_untrusted",
};

/**
 * TLS failed, and not the connection under it: that fails as it does without TLS. Branch on {@linkcode TlsError.code}, never on the text; the runtime's own error is
 * the `cause`.
 *
 * @example A server that nobody vouches for
 * ```ts
 * import { pipe, Switch } from "@sluice/io";
 * import { TlsError, tlsClient } from "@sluice/io/net/tls";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const [flow, other] = pipe();
 *   await other.shutdown("send"); // it does not even begin
 *   const error = await assertRejects(() => tlsClient(sw, flow, { serverName: "example.com" }), TlsError);
 *   assertEquals(error.code, "truncated");
 * });
 * ```
 */
export class TlsError extends Error {
  /** What happened. */
  readonly code: TlsErrorCode;

  /**
   * Makes an error; the message follows from the arguments.
   *
   * @param code What happened.
   * @param action What cannot be done: `"start TLS"`, `"read"`.
   * @param cause The runtime's own error.
   */
  constructor(code: TlsErrorCode, action: string, cause?: unknown) {
    const detail = typeof cause === "object" && cause !== null && "code" in cause ? ` (${String(cause.code)})` : "";
    super(`Cannot ${action}: ${descriptions[code]}${detail}`, cause === undefined ? undefined : { cause });
    this.name = "TlsError";
    this.code = code;
  }
}

/** What is thrown for an error of `node:tls`, or for a code that it gives in place of one. */
export function tlsErrorFrom(action: string, cause: unknown): TlsError {
  const code = String((cause as { code?: unknown } | undefined)?.code ?? cause);
  // An end in the midst of the handshake, as the runtimes call it.
  if (code === "ECONNRESET") return new TlsError("truncated", action, cause);
  return new TlsError(Object.hasOwn(codes, code) ? codes[code] : "protocol", action, cause);
}
