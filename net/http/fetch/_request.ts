// Copyright 2026 the Sluice authors. MIT license.

/** Reads the arguments of `fetch` as the Fetch standard does, without the runtime's `Request`. */
import { describe, isInstance, isSignal, quoteText } from "../../../base/internal.ts";
import type { Field } from "../internal.ts";
import { bodyOf, isStreaming, type OutgoingBody } from "./_request_body.ts";

/** A request, normalized, with nothing of the runtime's `Request` in it. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: URL;
  /** All headers but `host` and those of the framing. */
  readonly headers: readonly Field[];
  /** The body; or that of a `Request`, which is still to be gathered. */
  readonly body: OutgoingBody | ReadableStream<Uint8Array> | null;
  readonly redirect: "follow" | "manual" | "error";
  readonly signal: AbortSignal | undefined;
}

/** The members of `RequestInit` that matter here. */
interface Init {
  readonly method?: unknown;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly redirect?: unknown;
  readonly signal?: unknown;
  readonly duplex?: unknown;
  readonly integrity?: unknown;
}

/**
 * Headers of the connection, which the caller does not control. If it could set `host`, a rule that
 * grants one name would let it reach another site on the same server.
 */
const ignoredHeaders: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "upgrade",
  "te",
  "trailer",
  "expect",
  "keep-alive",
  "proxy-connection",
]);

/** The methods that are written in upper case, however they are given. */
const normalizedMethods: ReadonlySet<string> = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);
const forbiddenMethods: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Reads the arguments of a call. Each member of `init` is read once.
 *
 * @param codings The value of `accept-encoding`, unless the caller sets it.
 * @throws {TypeError} If an argument is one that `fetch` refuses.
 */
export function readRequest(input: unknown, init: unknown, codings: string): OutgoingRequest {
  const from = isInstance(input, Request) ? input : undefined;
  const url = readUrl(from === undefined ? input : from.url);
  if (init !== undefined && init !== null && typeof init !== "object" && typeof init !== "function") {
    throw new TypeError(`Cannot fetch as init must be an object: current value is ${describe(init)}`);
  }
  const { method: givenMethod, headers: givenHeaders, body: givenBody, redirect, signal, duplex, integrity } =
    (init ?? {}) as Init;
  const method = givenMethod === undefined ? from?.method ?? "GET" : readMethod(givenMethod);
  const headers = givenHeaders === undefined
    ? from?.headers
    : new Headers(givenHeaders as ConstructorParameters<typeof Headers>[0]);
  if (integrity ?? from?.integrity) {
    throw new TypeError("Cannot fetch with integrity: this fetch does not check it");
  }
  const given = {
    redirect: readRedirect(redirect ?? from?.redirect ?? "follow"),
    signal: readSignal(signal === undefined ? from?.signal : signal),
  };
  const body = isInstance(init, Request) && givenBody
    ? readBody(method, undefined, undefined, init)
    : readBody(method, givenBody ?? undefined, duplex, from);
  const type = body !== null && "open" in body ? body.type : undefined;
  return { method, url, headers: readHeaders(headers, type, codings), body, ...given };
}

/**
 * Parses the URL of a request.
 *
 * @throws {TypeError} If it is not an absolute `http:` or `https:` URL without credentials.
 */
function readUrl(input: unknown): URL {
  const text = String(input);
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new TypeError(`Cannot fetch ${quoteText(text)}: it is not an absolute URL`, { cause });
  }
  const problem = urlProblem(url);
  if (problem !== undefined) throw new TypeError(`Cannot fetch ${quoteText(withoutCredentials(url))}: ${problem}`);
  return url;
}

function withoutCredentials(url: URL): string {
  const shown = new URL(url);
  shown.username = shown.password = "";
  return shown.href;
}

/** Returns why a URL cannot be fetched. */
export function urlProblem(url: URL): string | undefined {
  if (url.protocol !== "http:" && url.protocol !== "https:") return "its scheme must be http or https";
  if (url.username !== "" || url.password !== "") return "it has credentials";
  return undefined;
}

function readMethod(value: unknown): string {
  const given = String(value);
  if (!token.test(given)) throw new TypeError(`Cannot fetch with method ${quoteText(given)}: it is not a method`);
  const upper = given.toUpperCase();
  if (forbiddenMethods.has(upper)) throw new TypeError(`Cannot fetch with method ${upper}: it is forbidden`);
  return normalizedMethods.has(upper) ? upper : given;
}

function readRedirect(value: unknown): "follow" | "manual" | "error" {
  if (value === "follow" || value === "manual" || value === "error") return value;
  throw new TypeError(`Cannot fetch as redirect must be "follow", "manual" or "error": it is ${describe(value)}`);
}

function readSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined || value === null) return undefined;
  if (isSignal(value)) return value;
  throw new TypeError(`Cannot fetch as signal must be an AbortSignal: current value is ${describe(value)}`);
}

function readBody(
  method: string,
  given: unknown,
  duplex: unknown,
  from: Request | undefined,
): OutgoingBody | ReadableStream<Uint8Array> | null {
  if (duplex !== undefined && duplex !== "half") {
    throw new TypeError(`Cannot fetch as duplex must be "half": current value is ${describe(duplex)}`);
  }
  if (given === undefined) {
    if (from === undefined) return null;
    if (from.bodyUsed) throw new TypeError("Cannot fetch: the body of the Request was used already");
    if (from.body === null) return null;
    if (from.body.locked) throw new TypeError("Cannot fetch: the body of the Request is locked");
  }
  if (method === "GET" || method === "HEAD") throw new TypeError(`Cannot fetch with method ${method} and a body`);
  if (given === undefined) return from!.body;
  if (duplex === undefined && isStreaming(given)) {
    throw new TypeError('Cannot fetch: a body that is a stream needs duplex: "half"');
  }
  return bodyOf(given);
}

const acceptAll: Field = ["accept", "*/*"];

function readHeaders(given: Headers | undefined, type: string | undefined, codings: string): readonly Field[] {
  const fields: Field[] = [];
  let hasAccept = false;
  let hasCodings = false;
  let hasType = type === undefined;
  let hasRange = false;
  if (given !== undefined) {
    for (const [name, value] of given) {
      const lower = name.toLowerCase();
      if (ignoredHeaders.has(lower)) continue;
      if (lower === "accept") hasAccept = true;
      else if (lower === "accept-encoding") hasCodings = true;
      else if (lower === "content-type") hasType = true;
      else if (lower === "range") hasRange = true;
      fields.push([lower, value]);
    }
  }
  if (!hasType) fields.push(["content-type", type!]);
  if (!hasAccept) fields.push(acceptAll);
  // A range of the encoded bytes would not be one of the content.
  if (!hasCodings) fields.push(["accept-encoding", hasRange ? "identity" : codings]);
  return fields;
}
