// Copyright 2026 the Sluice authors. MIT license.

import { escapeText, freezeClass, quoteText, warnIfUnhandled } from "../../base/internal.ts";
import { formatAddress, type StreamAddress } from "../mod.ts";

/**
 * The kind of a {@linkcode TlsError}, the same on every runtime:
 *
 * - `certificate_untrusted`: the peer's certificate does not lead to a trusted authority, or the
 *   peer has none;
 * - `certificate_expired`: the peer's certificate is not valid now (on Deno, which does not
 *   distinguish it, `certificate_untrusted`);
 * - `name_mismatch`: the peer's certificate is trusted, but for another name;
 * - `handshake_timeout`: the handshake took too long;
 * - `truncated`: the flow ended without `close_notify`, so an attacker may have cut off the rest;
 * - `protocol`: the peer does not speak TLS, refused the offer, or violated the protocol; or the
 *   data was tampered with.
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

/** The most names of a certificate in a message, and the most characters of them. */
const maxNames = 3;
const maxNamesLength = 200;

/** The most characters of an action and of an expected name in a message. */
const maxAction = 50;
const maxExpected = 253;

/**
 * The details of a {@linkcode TlsError}.
 *
 * @example Naming the peer
 * ```ts
 * import { tcp } from "@sluice/io";
 * import { TlsError, type TlsErrorContext } from "@sluice/io/net/tls";
 * import { assertEquals } from "@std/assert";
 *
 * const context: TlsErrorContext = { peer: tcp("192.0.2.1", 443) };
 * const { message } = new TlsError("truncated", "read from", undefined, context);
 * assertEquals(message, "Cannot read from tcp:192.0.2.1:443: the connection was cut without close_notify");
 * ```
 */
export interface TlsErrorContext {
  /**
   * The peer: the address of the flow under the connection, or else the flow's label.
   *
   * @default {undefined}
   */
  peer?: StreamAddress | string | undefined;
  /**
   * The name that the certificate had to have.
   *
   * @default {undefined}
   */
  expectedName?: string | undefined;
  /**
   * The names in the peer's certificate. They are untrusted: the message shows the first few,
   * escaped.
   *
   * @default {undefined}
   */
  certificateNames?: readonly string[] | undefined;
}

/**
 * TLS itself failed. Errors of the flow under it are thrown as without TLS. Branch on
 * {@linkcode TlsError.code}, never on the text; the runtime's own error is the `cause`.
 *
 * @example A server that ends before the handshake
 * ```ts
 * import { pipe, Switch } from "@sluice/io";
 * import { TlsError, tlsClient } from "@sluice/io/net/tls";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const [flow, other] = pipe();
 *   await other.shutdown("send");
 *   const error = await assertRejects(() => tlsClient(sw, flow, { serverName: "example.com" }), TlsError);
 *   assertEquals(error.code, "truncated");
 * });
 * ```
 */
export class TlsError extends Error {
  static {
    freezeClass(this);
    warnIfUnhandled(this);
  }

  /** The kind of failure. */
  readonly code: TlsErrorCode;
  /** The peer: the address of the flow under the connection, or else the flow's label. */
  readonly peer: StreamAddress | string | undefined;

  /**
   * Creates an error; its message is built from the arguments.
   *
   * @param code The kind of failure.
   * @param action The failed action, followed by the peer if there is one: `"start TLS with"`,
   * `"read from"`.
   * @param cause The runtime's own error.
   * @param context The peer, and the names involved.
   */
  constructor(code: TlsErrorCode, action: string, cause?: unknown, context?: TlsErrorContext) {
    const { peer, expectedName, certificateNames } = context ?? {};
    const subject = peer === undefined ? "" : ` ${escapeText(typeof peer === "string" ? peer : formatAddress(peer))}`;
    const names = certificateNames === undefined ? "" : `: ${describeNames(expectedName, certificateNames)}`;
    super(
      `Cannot ${escapeText(action, maxAction)}${subject}: ${descriptions[code]}${describeCause(cause)}${names}`,
      cause === undefined ? undefined : { cause },
    );
    this.name = "TlsError";
    this.code = code;
    this.peer = peer;
  }
}

/** Returns the runtime's code in parentheses. */
function describeCause(cause: unknown): string {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : cause;
  return typeof code === "string" ? ` (${escapeText(code, 100)})` : "";
}

function describeNames(expected: string | undefined, names: readonly string[]): string {
  const shown = escapeText(names.slice(0, maxNames).map(describeName).join(", "), maxNamesLength);
  const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : "";
  return `expected ${expected === undefined ? "another name" : escapeText(expected, maxExpected)}, but it names ${
    shown || "nothing"
  }${more}`;
}

/** Returns a name, quoted if it could look like two. */
function describeName(name: string): string {
  return /[, "]/.test(name) ? quoteText(name) : name;
}

/**
 * The reason of a failure. Each operation that meets it creates its own {@linkcode TlsError}, so
 * that its stack has the caller's frames.
 */
export class TlsFailure {
  readonly code: TlsErrorCode;
  /** The runtime's own error. */
  readonly cause: unknown;
  /** The names in the peer's certificate, if none matched. */
  readonly certificateNames: readonly string[] | undefined;

  constructor(code: TlsErrorCode, cause?: unknown, certificateNames?: readonly string[]) {
    this.code = code;
    this.cause = cause;
    this.certificateNames = certificateNames;
  }
}
