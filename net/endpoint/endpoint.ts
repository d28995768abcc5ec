// Copyright 2026 the Sluice authors. MIT license.

import { checkFields, checkPort, checkRecord, checkString, escapeText, mustBe } from "../../base/internal.ts";
import { checkTargetAddress, type HostAddress, IpAddress, type StreamAddress } from "../internal.ts";
import { checkProtocols, checkServerName } from "../tls/internal.ts";

/**
 * Where to connect, or to listen, as data: an address, a host name, or TLS over another endpoint.
 *
 * Source: conduit's `endp`.
 *
 * @example TLS over a Unix socket
 * ```ts
 * import { type Endpoint, formatEndpoint, tls } from "@sluice/io/net/endpoint";
 * import { unix } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint: Endpoint = tls("db.example", unix("/run/db.sock"));
 * assertEquals(formatEndpoint(endpoint), "tls:db.example/unix:/run/db.sock");
 * ```
 */
export type Endpoint = StreamAddress | HostAddress | TlsEndpoint | UnknownEndpoint | CustomEndpoint;

/**
 * TLS over another endpoint; {@linkcode tls} creates one.
 *
 * @example Reading the name
 * ```ts
 * import { tls, type TlsEndpoint } from "@sluice/io/net/endpoint";
 * import { tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint: TlsEndpoint = tls("example.com", tcp("192.0.2.1", 443));
 * assertEquals(endpoint.serverName, "example.com");
 * ```
 */
export interface TlsEndpoint {
  /** The kind of endpoint. */
  readonly transport: "tls";
  /** The name, or the IP address literal, that the server's certificate must have. */
  readonly serverName: string;
  /** What carries the encrypted bytes. */
  readonly over: Endpoint;
  /** The application protocols (ALPN) in order of preference; absent if there are none. */
  readonly protocols?: readonly string[];
}

/**
 * A resolution that failed. Connecting to it is a `NetError` `address_lookup_failed` with the
 * reason. {@linkcode unknown} creates one.
 *
 * @example Reading the reason
 * ```ts
 * import { unknown, type UnknownEndpoint } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint: UnknownEndpoint = unknown("no such service");
 * assertEquals(endpoint.reason, "no such service");
 * ```
 */
export interface UnknownEndpoint {
  /** The kind of endpoint. */
  readonly transport: "unknown";
  /** Why it is not known. */
  readonly reason: string;
}

/**
 * An endpoint of a program's own kind, such as a tunnel: a connector has a function for its scheme.
 * {@linkcode custom} creates one.
 *
 * @example Reading the data
 * ```ts
 * import { custom, type CustomEndpoint } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint: CustomEndpoint = custom("vchan", { domain: 3 });
 * assertEquals(endpoint.data, { domain: 3 });
 * ```
 */
export interface CustomEndpoint {
  /** The kind of endpoint. */
  readonly transport: "custom";
  /** The name of the kind: one or more of the characters A-Z a-z 0-9 + . _ -. */
  readonly scheme: string;
  /** What the connector of the scheme needs. */
  readonly data: JsonValue;
}

/**
 * A value that JSON can represent.
 *
 * @example A list
 * ```ts
 * import type { JsonValue } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * const value: JsonValue = [1, { ready: true }, null];
 * assertEquals(JSON.parse(JSON.stringify(value)), value);
 * ```
 */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** The most layers of TLS in an endpoint: a limit for untrusted text and JSON. */
export const maxLayers = 16;

/** The most levels of lists and objects in the data of a custom endpoint. */
const maxDepth = 64;

const schemePattern = /^[A-Za-z0-9+._-]+$/;
const schemeRule = "of the characters A-Z a-z 0-9 + . _ -";

/** The fields of each kind of endpoint. */
const fieldsOf: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["tcp", ["transport", "ip", "port"]],
  ["unix", ["transport", "path"]],
  ["host", ["transport", "name", "port"]],
  ["tls", ["transport", "serverName", "over", "protocols"]],
  ["unknown", ["transport", "reason"]],
  ["custom", ["transport", "scheme", "data"]],
]);

const anyTransport = '"tcp", "unix", "host", "tls", "unknown" or "custom"';

const action = "use an endpoint";

/** An object that is to be checked. */
type Fields = Readonly<Record<string, unknown>>;

/**
 * Returns an endpoint that is reached by TLS over another one.
 *
 * @param serverName The name, or the IP address literal, that the server's certificate must have. A
 * trailing dot is removed.
 * @param over What carries the encrypted bytes; it can be TLS itself.
 * @param protocols The application protocols (ALPN) in order of preference: 1 to 255 printable
 * ASCII characters each. An empty list is like none.
 * @returns The endpoint, frozen.
 * @throws {SyntaxError} If `serverName` is neither a host name nor an IP address, or a protocol has
 * other characters.
 * @throws {TypeError} If an argument is of the wrong type.
 * @throws {RangeError} If a protocol is too long or empty, or there are more than 16 layers of TLS.
 *
 * @example TLS in TLS
 * ```ts
 * import { formatEndpoint, tls } from "@sluice/io/net/endpoint";
 * import { tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const endpoint = tls("inner.test", tls("outer.test", tcp("192.0.2.1", 443)), ["h2"]);
 * assertEquals(formatEndpoint(endpoint), "tls:inner.test;h2/tls:outer.test/tcp:192.0.2.1:443");
 * ```
 */
export function tls(serverName: string, over: Endpoint, protocols?: readonly string[]): TlsEndpoint {
  return checkEndpoint({ transport: "tls", serverName, over, protocols }) as TlsEndpoint;
}

/**
 * Returns the endpoint of a resolution that failed.
 *
 * @param reason Why, in a few words.
 * @returns The endpoint, frozen.
 * @throws {TypeError} If `reason` is not a string.
 *
 * @example Usage
 * ```ts
 * import { formatEndpoint, unknown } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatEndpoint(unknown("no such service")), "unknown:no such service");
 * ```
 */
export function unknown(reason: string): UnknownEndpoint {
  return checkEndpoint({ transport: "unknown", reason }) as UnknownEndpoint;
}

/**
 * Returns an endpoint of a program's own kind.
 *
 * @param scheme The name of the kind: one or more of the characters A-Z a-z 0-9 + . _ -.
 * @param data What the connector needs. It is copied.
 * @returns The endpoint, frozen with its data.
 * @throws {TypeError} If `scheme` is not a string, or `data` contains what JSON cannot represent.
 * @throws {SyntaxError} If `scheme` has another character, or is empty.
 * @throws {RangeError} If `data` has more than 64 levels.
 *
 * @example Usage
 * ```ts
 * import { custom, formatEndpoint } from "@sluice/io/net/endpoint";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatEndpoint(custom("vchan", { domain: 3 })), 'custom:vchan/{"domain":3}');
 * ```
 */
export function custom(scheme: string, data: JsonValue): CustomEndpoint {
  return checkEndpoint({ transport: "custom", scheme, data }) as CustomEndpoint;
}

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
  return JSON.parse(JSON.stringify(checkEndpoint(endpoint)), (_, value) => Object.freeze(value));
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
  return readEndpoint(value, true, 0);
}

/**
 * Checks an endpoint passed in by a caller, which may be a plain object, and copies it. Each field
 * is read once, so that what was checked is what is used. Errors say where in the endpoint the
 * problem is: `over.over`.
 *
 * @throws {TypeError} If it is not an endpoint, or a field has the wrong type.
 * @throws {SyntaxError} If a name is not valid.
 * @throws {RangeError} If a port or a size is out of range.
 */
export function checkEndpoint(value: unknown): Endpoint {
  return readEndpoint(value, false, 0);
}

/**
 * Checks and copies an endpoint, or its JSON: there, an IP address is text, and only the fields of
 * the kind are allowed. `layers` is the number of layers of TLS around it.
 */
function readEndpoint(value: unknown, isJson: boolean, layers: number): Endpoint {
  const at = "over.".repeat(layers);
  const name = at.slice(0, -1) || "it";
  if (layers > maxLayers) throw new RangeError(`Cannot use more than ${maxLayers} layers of TLS`);
  checkRecord(action, name, value);
  const fields = value as Fields;
  const { transport } = fields;
  const known = fieldsOf.get(transport);
  if (known === undefined) throw new TypeError(mustBe(action, `${at}transport`, anyTransport, transport));
  if (isJson) checkFields(action, name, fields, known);
  switch (transport) {
    case "tls": {
      const serverName = locate(`${at}serverName`, () => checkServerName(fields.serverName));
      const protocols = locate(`${at}protocols`, () => checkProtocols(fields.protocols as string[] | undefined));
      const over = readEndpoint(fields.over, isJson, layers + 1);
      return Object.freeze({ transport, serverName, over, ...protocols && { protocols: Object.freeze(protocols) } });
    }
    case "unknown":
      return Object.freeze({ transport, reason: checkString(action, `${at}reason`, fields.reason) });
    case "custom": {
      const scheme = checkString(action, `${at}scheme`, fields.scheme);
      if (!schemePattern.test(scheme)) throw new SyntaxError(mustBe(action, `${at}scheme`, schemeRule, scheme));
      return Object.freeze({ transport, scheme, data: copyJson(fields.data, `${at}data`, 0) });
    }
    default:
      if (isJson) return readAddress(at, known[1], fields);
      return locate(layers === 0 ? "" : name, () => checkTargetAddress(value));
  }
}

/** Reads an address from the JSON of an endpoint: `field` is what it has beside a port. */
function readAddress(at: string, field: string, fields: Fields): StreamAddress | HostAddress {
  const { transport } = fields;
  const text = checkString(action, `${at}${field}`, fields[field]);
  const port = transport === "unix" ? undefined : checkPort(action, `${at}port`, fields.port);
  return locate(`${at}${field}`, () => {
    const host = transport === "tcp" ? IpAddress.parse(text) : text;
    return checkTargetAddress({ transport, port, [field]: host });
  });
}

/** Copies and freezes a JSON value. */
function copyJson(value: unknown, name: string, depth: number): JsonValue {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value + 0; // JSON has no -0
  if (depth === maxDepth) throw new RangeError(`Cannot ${action} as its data must have at most ${maxDepth} levels`);
  if (Array.isArray(value)) {
    return Object.freeze(Array.from(value, (item, index) => copyJson(item, `${name}.${index}`, depth + 1)));
  }
  if (!isPlain(value)) throw new TypeError(mustBe(action, escapeText(name), "a JSON value", value));
  const entries = Object.entries(value).map(([key, item]) => [key, copyJson(item, `${name}.${key}`, depth + 1)]);
  return Object.freeze(Object.fromEntries(entries)); // unlike an assignment, this makes a field "__proto__" too
}

/** Reports whether `value` is an object of no class, of any realm: what JSON can represent. */
function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Runs a check of the field `name` of an endpoint, and adds its name to an error. */
function locate<T>(name: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (name === "") throw error;
    const reason = (error as Error).message.replace(/^Cannot/, "cannot");
    const type = [RangeError, SyntaxError].find((type) => error instanceof type) ?? TypeError;
    throw new type(`Cannot ${action} because of ${name}: ${reason}`, { cause: error });
  }
}
