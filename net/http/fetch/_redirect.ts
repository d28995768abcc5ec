// Copyright 2026 the Sluice authors. MIT license.

/** Redirects, by the Fetch standard's "HTTP-redirect fetch". */
import type { Field, IncomingHead } from "../internal.ts";
import { type OutgoingRequest, urlProblem } from "./_request.ts";

/** Headers that describe a body, and go with it. */
const bodyHeaders: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-language",
  "content-location",
  "content-type",
]);

/** Headers that must not reach another origin. */
const credentialHeaders: ReadonlySet<string> = new Set(["authorization", "cookie", "proxy-authorization"]);

/** Reports whether a status is that of a redirect. */
export function isRedirect(status: number): boolean {
  return status === 302 || status === 301 || status === 307 || status === 308 || status === 303;
}

/**
 * Returns the request that follows a redirect; `undefined` if the response has no location, and so
 * is the answer.
 *
 * @throws {TypeError} If the redirect cannot be followed.
 */
export function redirected(request: OutgoingRequest, { status, headers }: IncomingHead): OutgoingRequest | undefined {
  const locations = headers.filter(([name]) => name.toLowerCase() === "location");
  if (locations.length === 0) return undefined;
  if (locations.length > 1) throw problem("it has more than one location");
  const url = locationOf(locations[0][1], request.url);
  const { method, body } = request;
  const dropsBody = ((status === 301 || status === 302) && method === "POST") ||
    (status === 303 && method !== "GET" && method !== "HEAD");
  if (status !== 303 && body !== null && !("open" in body && body.repeatable)) {
    throw problem("the body of the request is a stream, which cannot be sent again");
  }
  const dropsCredentials = url.origin !== request.url.origin;
  const keeps = ([name]: Field) =>
    !(dropsBody && bodyHeaders.has(name)) && !(dropsCredentials && credentialHeaders.has(name));
  return {
    ...request,
    url,
    headers: request.headers.filter(keeps),
    ...(dropsBody ? { method: "GET", body: null } : undefined),
  };
}

function locationOf(value: string, base: URL): URL {
  let url: URL;
  try {
    url = new URL(decodeLocation(value), base);
  } catch (cause) {
    throw problem("its location is not a URL", cause);
  }
  const reason = urlProblem(url);
  if (reason !== undefined) throw problem(`of its location, ${reason}`);
  if (url.hash === "") url.hash = base.hash;
  return url;
}

/** Decodes a location that is UTF-8 instead of ASCII, as browsers do. */
function decodeLocation(value: string): string {
  if (!/[\x80-\xff]/.test(value)) return value;
  return new TextDecoder().decode(Uint8Array.from(value, (character) => character.charCodeAt(0)));
}

function problem(why: string, cause?: unknown): TypeError {
  return new TypeError(`Cannot follow a redirect: ${why}`, cause === undefined ? undefined : { cause });
}
