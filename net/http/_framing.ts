// Copyright 2026 the Sluice authors. MIT license.

import { HttpError } from "./errors.ts";
import type { Field } from "./_fields.ts";
import type { IncomingHead } from "./_response_head.ts";

/** What the headers of a message say about its body and its connection. */
export interface Framing {
  /** The length of the body, if it has a `content-length`. */
  readonly length: number | undefined;
  /** Whether the body is `chunked`. */
  readonly chunked: boolean;
  /** Whether the sender keeps the connection open afterwards. */
  readonly persistent: boolean;
  /** How long the sender keeps the connection open while it is idle, in seconds, if it says so. */
  readonly idleSeconds: number | undefined;
}

/** How the body of a response ends. */
export type BodyKind = "none" | "length" | "chunked" | "close";

/**
 * Reads the framing of a message. It refuses what two recipients could read differently (RFC 9112,
 * section 6): a second `content-length`, even an equal one; one beside a `transfer-encoding`; and a
 * `transfer-encoding` that is not a single `chunked`, or is in HTTP/1.0.
 *
 * @throws {HttpError} If the headers contradict each other.
 */
export function framingOf(version: 0 | 1, headers: readonly Field[]): Framing {
  let length: number | undefined;
  let chunked = false;
  let persistent = version === 1;
  let close = false;
  let idleSeconds: number | undefined;
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i];
    switch (name.length) {
      case 10:
        if (name.toLowerCase() === "keep-alive") idleSeconds = idleSecondsOf(value) ?? idleSeconds;
        if (name.toLowerCase() !== "connection") break;
        for (const option of value.toLowerCase().split(",")) {
          const word = option.trim();
          if (word === "close") close = true;
          else if (word === "keep-alive") persistent = true;
        }
        break;
      case 14:
        if (name.toLowerCase() !== "content-length") break;
        if (length !== undefined) throw new HttpError("it has more than one content-length");
        length = lengthOf(value);
        break;
      case 17:
        if (name.toLowerCase() !== "transfer-encoding") break;
        if (chunked || value.toLowerCase() !== "chunked") {
          throw new HttpError("its transfer-encoding is not just chunked");
        }
        chunked = true;
    }
  }
  if (chunked && length !== undefined) throw new HttpError("it has a content-length beside a transfer-encoding");
  if (chunked && version === 0) throw new HttpError("it has a transfer-encoding in HTTP/1.0");
  return { length, chunked, persistent: persistent && !close, idleSeconds };
}

/**
 * Returns the `timeout` of a `keep-alive` header (RFC 2068, section 19.7.1.1), as Apache and Node
 * send it.
 */
function idleSecondsOf(value: string): number | undefined {
  const [, seconds] = /(?:^|,)[ \t]*timeout=([0-9]{1,9})[ \t]*(?:,|$)/i.exec(value) ?? [];
  return seconds === undefined ? undefined : Number(seconds);
}

function lengthOf(value: string): number {
  const length = /^[0-9]{1,32}$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(length)) throw new HttpError("its content-length is not a whole number");
  return length;
}

/** Returns how the body of the response to a request with `method` ends (RFC 9112, section 6.3). */
export function bodyKindOf(method: string, { status }: IncomingHead, { length, chunked }: Framing): BodyKind {
  if (method === "HEAD" || status === 204 || status === 304 || status === 101) return "none";
  if (chunked) return "chunked";
  if (length !== undefined) return length === 0 ? "none" : "length";
  return "close";
}

/** Reports whether the connection may serve another request after this response. */
export function staysOpen({ status }: IncomingHead, { length, chunked, persistent }: Framing): boolean {
  if (!persistent || status === 101) return false;
  // A 204 has no body, but one that its headers announce may follow nevertheless.
  return status !== 204 || (!chunked && (length ?? 0) === 0);
}
