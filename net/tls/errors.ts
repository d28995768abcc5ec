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
