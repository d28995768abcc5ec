// Copyright 2026 the Sluice authors. MIT license.

import { checkRecord, describe, escapeText, quoteText } from "../../base/internal.ts";
import { checkTargetAddress } from "../internal.ts";
import type { HostAddress, StreamAddress } from "../mod.ts";
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
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** The most layers of TLS in an endpoint: a limit for untrusted text and JSON. */
export const maxLayers = 16;

/** The most levels of lists and objects in the data of a custom endpoint. */
const maxDepth = 64;

const schemePattern = /^[A-Za-z0-9+._-]+$/;

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
  return unknownAt(reason, "reason");
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
  return customAt(scheme, data, (field) => field);
}

/** The fields of an endpoint that may be foreign. */
interface Fields {
  readonly transport?: unknown;
  readonly serverName?: unknown;
  readonly over?: unknown;
  readonly protocols?: unknown;
  readonly reason?: unknown;
  readonly scheme?: unknown;
  readonly data?: unknown;
}

/** How the parts of an endpoint are read that differ between an object and its JSON. */
export interface EndpointReader {
  /** Checks the object before its fields are read. `name` is its place, for errors. */
  check(value: object, transport: unknown, name: string): void;
  /** Reads an address. `place` returns the place of one of its fields, for errors. */
  address(value: object, place: (field: string) => string): StreamAddress | HostAddress;
}

/** Reads an endpoint that is an object: its fields are those of the types above. */
const objectReader: EndpointReader = {
  check() {},
  address: (value, place) => locate(place(""), () => checkTargetAddress(value)),
};

/**
 * Checks an endpoint passed in by a caller, which may be a plain object, and copies it. Each field
 * is read once, so that what was checked is what is used. Errors say where in the endpoint the
 * problem is: `over.over`.
 *
 * @throws {TypeError} If it is not an endpoint, or a field has the wrong type.
 * @throws {SyntaxError} If a name is not valid.
 * @throws {RangeError} If a port or a size is out of range.
 */
export function checkEndpoint(value: unknown, reader: EndpointReader = objectReader): Endpoint {
  const layers: { readonly serverName: string; readonly protocols: readonly string[] | undefined }[] = [];
  const path: string[] = [];
  const place = (field: string) => [...path, ...(field === "" ? [] : [field])].join(".");
  for (let at = value;;) {
    const name = place("") || "it";
    if (typeof at !== "object" || at === null) {
      throw new TypeError(`Cannot use an endpoint as ${name} must be an object: current value is ${describe(at)}`);
    }
    const fields: Fields = at;
    const { transport } = fields;
    reader.check(at, transport, name);
    if (transport !== "tls") {
      const innermost: Endpoint = readInnermost(at, transport, reader, place);
      return layers.reduceRight((over, layer) => freezeTls(layer.serverName, over, layer.protocols), innermost);
    }
    const { serverName, protocols, over } = fields;
    layers.push({
      serverName: locate(place("serverName"), () => checkServerName(serverName)),
      protocols: locate(place("protocols"), () => checkProtocols(protocols as readonly string[] | undefined)),
    });
    if (layers.length > maxLayers) throw new RangeError(`Cannot use more than ${maxLayers} layers of TLS`);
    path.push("over");
    at = over;
  }
}

function readInnermost(
  value: object,
  transport: unknown,
  reader: EndpointReader,
  place: (field: string) => string,
): Endpoint {
  switch (transport) {
    case "tcp":
    case "unix":
    case "host":
      return reader.address(value, place);
    case "unknown":
      return unknownAt((value as Fields).reason, place("reason"));
    case "custom": {
      const { scheme, data } = value as Fields;
      return customAt(scheme, data, place);
    }
    default:
      throw new TypeError(
        `Cannot use an endpoint as ${place("transport")} must be "tcp", "unix", "host", "tls", "unknown" or ` +
          `"custom": current value is ${describe(transport)}`,
      );
  }
}

function freezeTls(serverName: string, over: Endpoint, protocols: readonly string[] | undefined): TlsEndpoint {
  if (protocols === undefined) return Object.freeze({ transport: "tls", serverName, over });
  return Object.freeze({ transport: "tls", serverName, over, protocols: Object.freeze(protocols) });
}

function unknownAt(reason: unknown, name: string): UnknownEndpoint {
  checkText(name, reason);
  return Object.freeze({ transport: "unknown", reason });
}

function customAt(scheme: unknown, data: unknown, place: (field: string) => string): CustomEndpoint {
  checkText(place("scheme"), scheme);
  if (!schemePattern.test(scheme)) {
    throw new SyntaxError(
      `Cannot use an endpoint as ${place("scheme")} must be of the characters A-Z a-z 0-9 + . _ -: current value is ${
        quoteText(scheme)
      }`,
    );
  }
  return Object.freeze({ transport: "custom", scheme, data: copyJson(data, place("data"), 0) });
}

/** Throws `TypeError` unless `value`, which is at `name` in an endpoint, is a string. */
export function checkText(name: string, value: unknown): asserts value is string {
  if (typeof value === "string") return;
  throw new TypeError(`Cannot use an endpoint as ${name} must be a string: current value is ${describe(value)}`);
}

/** Copies and freezes a JSON value. */
function copyJson(value: unknown, name: string, depth: number): JsonValue {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value + 0; // JSON has no -0
  if (depth === maxDepth) {
    throw new RangeError(`Cannot use an endpoint as its data must have at most ${maxDepth} levels`);
  }
  if (Array.isArray(value)) {
    return Object.freeze(Array.from(value, (item, index) => copyJson(item, `${name}.${index}`, depth + 1)));
  }
  if (typeof value !== "object") {
    throw new TypeError(
      `Cannot use an endpoint as ${escapeText(name)} must be a JSON value: current value is ${describe(value)}`,
    );
  }
  checkRecord("use an endpoint", escapeText(name), value);
  const entries = Object.entries(value as object);
  // unlike an assignment, this makes a field of the name "__proto__" too
  return Object.freeze(
    Object.fromEntries(entries.map(([key, item]) => [key, copyJson(item, `${name}.${key}`, depth + 1)])),
  );
}

/** Runs a check of the part of an endpoint at `name`, and adds that to its error. */
export function locate<T>(name: string, check: () => T): T {
  if (name === "") return check();
  try {
    return check();
  } catch (error) {
    const reason = (error as Error).message.replace(/^Cannot/, "cannot");
    const message = `Cannot use an endpoint because of ${name}: ${reason}`;
    if (error instanceof RangeError) throw new RangeError(message, { cause: error });
    if (error instanceof SyntaxError) throw new SyntaxError(message, { cause: error });
    throw new TypeError(message, { cause: error });
  }
}
