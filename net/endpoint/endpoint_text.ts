// Copyright 2026 the Sluice authors. MIT license.

import { checkString, escapeText, quoteText } from "../../base/internal.ts";
import { formatAddress, NetError, parseAddress } from "../mod.ts";
import { checkEndpoint, custom, type Endpoint, maxLayers, tls, unknown } from "./endpoint.ts";

/**
 * Formats an endpoint as text that {@linkcode parseEndpoint} parses back: an address as
 * `formatAddress` does; `tls:example.com/` before what is below, with the percent-encoded protocols
 * after a semicolon; `unknown:` and the reason; `custom:`, the scheme, a slash and the data as JSON.
 *
 * A Unix path and a reason are not escaped, so escape the text before showing it where line breaks
 * matter.
 *
 * @param endpoint The endpoint.
 * @returns The text.
 * @throws {TypeError} If `endpoint` is not an endpoint.
 * @throws {SyntaxError} If a name in it is not valid.
 * @throws {RangeError} If a port or a size in it is out of range.
 *
 * @example Usage
 * ```ts
 * import { formatEndpoint, tls } from "@sluice/io/net/endpoint";
 * import { tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint = tls("example.com", tcp("2001:db8::1", 443), ["h2", "http/1.1"]);
 * assertEquals(formatEndpoint(endpoint), "tls:example.com;h2,http%2F1.1/tcp:[2001:db8::1]:443");
 * ```
 */
export function formatEndpoint(endpoint: Endpoint): string {
  return textOf(checkEndpoint(endpoint), true);
}

/**
 * Returns a checked endpoint for messages and dumps: escaped, truncated, and without the data of a
 * custom endpoint, which may be secret.
 */
export function describeEndpoint(endpoint: Endpoint): string {
  return escapeText(textOf(endpoint, false));
}

/** Returns the error of an operation for which an endpoint is of the wrong kind, or unknown. */
export function unusable(operation: string, endpoint: Endpoint, remedy: string): NetError {
  if (endpoint.transport !== "unknown") {
    return new NetError("not_supported", { operation, address: describeEndpoint(endpoint), remedy });
  }
  return new NetError("address_lookup_failed", { operation, address: "an unknown endpoint", remedy });
}

function textOf(endpoint: Endpoint, withData: boolean): string {
  switch (endpoint.transport) {
    case "tls": {
      const { serverName, protocols, over } = endpoint;
      const list = protocols === undefined ? "" : `;${protocols.map(encodeURIComponent).join(",")}`;
      return `tls:${serverName}${list}/${textOf(over, withData)}`;
    }
    case "unknown":
      return `unknown:${endpoint.reason}`;
    case "custom":
      return `custom:${endpoint.scheme}${withData ? `/${JSON.stringify(endpoint.data)}` : ""}`;
    default:
      return formatAddress(endpoint);
  }
}

/**
 * Parses the text of an endpoint, in exactly the form that {@linkcode formatEndpoint} returns.
 *
 * @param text The text.
 * @returns The endpoint, frozen.
 * @throws {TypeError} If `text` is not a string.
 * @throws {SyntaxError} If `text` is not an endpoint in that form; the message says why.
 *
 * @example Usage
 * ```ts
 * import { parseEndpoint, tls } from "@sluice/io/net/endpoint";
 * import { hostAddress } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint = parseEndpoint("tls:example.com/host:example.com:443");
 * assertEquals(endpoint, tls("example.com", hostAddress("example.com", 443)));
 * ```
 */
export function parseEndpoint(text: string): Endpoint {
  checkString("parse an endpoint", "text", text);
  const fail: Fail = (rule, cause) => {
    throw new SyntaxError(`Cannot parse endpoint ${quoteText(text)}: ${rule}`, { cause });
  };
  const endpoint = parse(text, fail);
  const canonical = textOf(endpoint, true);
  return canonical === text ? endpoint : fail(`it must be written ${quoteText(canonical)}`);
}

/** Throws a `SyntaxError` that names the whole text and the rule that it breaks. */
type Fail = (rule: string, cause?: unknown) => never;

/** Parses more than what {@linkcode formatEndpoint} returns. `layers` is how many are around it. */
function parse(text: string, fail: Fail, layers = 0): Endpoint {
  /** Returns what `create` returns; what it throws breaks `rule`, or the rule that it names. */
  const make = <T>(create: () => T, rule?: string): T => {
    try {
      return create();
    } catch (cause) {
      return fail(rule ?? escapeText((cause as Error).message.replace(/^Cannot/, "cannot")), cause);
    }
  };
  const [, kind, rest] = /^(tls|unknown|custom|tcp|unix|host):(.*)$/s.exec(text) ?? [];
  switch (kind) {
    case undefined:
      return fail('an endpoint begins with "tcp:", "unix:", "host:", "tls:", "unknown:" or "custom:"');
    case "tls": {
      const [, name, list, inner] = /^([^;/]*)(?:;([^/]*))?\/(.*)$/s.exec(rest) ??
        fail('after "tls:" and a name come "/" and another endpoint');
      if (layers === maxLayers) fail(`an endpoint has at most ${maxLayers} layers of TLS`);
      const over = parse(inner, fail, layers + 1);
      const protocols = make(() => list?.split(",").map(decodeURIComponent), "a protocol is percent-encoded");
      return make(() => tls(name, over, protocols));
    }
    case "unknown":
      return unknown(rest);
    case "custom": {
      const [, scheme, json] = /^([^/]*)\/(.*)$/s.exec(rest) ?? fail('after "custom:" and a scheme come "/" and JSON');
      const data = make(() => JSON.parse(json), "the data is not JSON"); // the runtimes word this differently
      return make(() => custom(scheme, data));
    }
    default:
      return make(() => parseAddress(text) as Endpoint);
  }
}
