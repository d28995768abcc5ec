// Copyright 2026 the Sluice authors. MIT license.

import { checkEndpoint, type Endpoint, type JsonValue, readEndpoint } from "./endpoint.ts";

/**
 * Converts an endpoint to a JSON value: the fields of the endpoint, with an IP address as text.
 *
 * @param endpoint The endpoint.
 * @returns The value, frozen, for `JSON.stringify`; {@linkcode endpointFromJson} reads it back.
 * @throws {TypeError} If `endpoint` is not an endpoint.
 * @throws {SyntaxError} If a name in it is not valid.
 * @throws {RangeError} If a port or a size in it is out of range.
 *
 * @example Usage
 * ```ts
 * import { endpointToJson, tls } from "@sluice/io/net/endpoint";
 * import { tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(endpointToJson(tls("example.com", tcp("2001:db8::1", 443))), {
 *   transport: "tls",
 *   serverName: "example.com",
 *   over: { transport: "tcp", ip: "2001:db8::1", port: 443 },
 * });
 * ```
 */
export function endpointToJson(endpoint: Endpoint): JsonValue {
  return jsonOf(checkEndpoint(endpoint));
}

function jsonOf(endpoint: Endpoint): JsonValue {
  switch (endpoint.transport) {
    case "tcp":
      return Object.freeze({ ...endpoint, ip: endpoint.ip.toString() });
    case "tls":
      return Object.freeze({ ...endpoint, over: jsonOf(endpoint.over) });
    default:
      return Object.freeze({ ...endpoint });
  }
}

/**
 * Reads an endpoint from a JSON value, in exactly the form that {@linkcode endpointToJson} returns:
 * every field must be there and valid, and no other one. An error says where the problem is, such as
 * `over.over.port`.
 *
 * @param value The value, from `JSON.parse`.
 * @returns The endpoint, frozen.
 * @throws {TypeError} If a field has the wrong type, is missing, or does not exist.
 * @throws {SyntaxError} If a name, an IP address, a scheme or a protocol is not valid.
 * @throws {RangeError} If a port or a size is out of range, or there are too many layers.
 *
 * @example Usage
 * ```ts
 * import { endpointFromJson, formatEndpoint } from "@sluice/io/net/endpoint";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const value = JSON.parse('{ "transport": "tcp", "ip": "192.0.2.1", "port": 80 }');
 * assertEquals(formatEndpoint(endpointFromJson(value)), "tcp:192.0.2.1:80");
 * const wrong = { transport: "tls", serverName: "a.test", over: { ...value, port: "80" } };
 * assertThrows(() => endpointFromJson(wrong), TypeError, "over.port must be a number");
 * ```
 */
export function endpointFromJson(value: JsonValue): Endpoint {
  return readEndpoint(value, true);
}
