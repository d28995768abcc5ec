// Copyright 2026 the Sluice authors. MIT license.

import { describe, escapeText, isOfAnotherCopy, quoteText, textOf } from "../base/internal.ts";
import { IpAddress } from "./ip_address.ts";

/** The longest Unix path, or abstract name after its NUL, in UTF-8 bytes: Linux's limit. */
export const maxUnixPathBytes = 107;

/**
 * The address of a TCP socket; {@linkcode tcp} creates one.
 *
 * @example Reading the port
 * ```ts
 * import { type TcpAddress, tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const address: TcpAddress = tcp("127.0.0.1", 80);
 * assertEquals(address.port, 80);
 * ```
 */
export interface TcpAddress {
  /** The kind of address. */
  readonly transport: "tcp";
  /** The IP address. */
  readonly ip: IpAddress;
  /** The port, 0 to 65535; a listener on port 0 gets an ephemeral one. */
  readonly port: number;
}

/**
 * The address of a UDP socket; {@linkcode udp} creates one.
 *
 * @example Reading the version of IP
 * ```ts
 * import { type UdpAddress, udp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const address: UdpAddress = udp("::1", 53);
 * assertEquals(address.ip.version, 6);
 * ```
 */
export interface UdpAddress {
  /** The kind of address. */
  readonly transport: "udp";
  /** The IP address. */
  readonly ip: IpAddress;
  /** The port, 0 to 65535; a socket bound to port 0 gets an ephemeral one. */
  readonly port: number;
}

/**
 * The address of a Unix domain socket; {@linkcode unix} creates one.
 *
 * @example Reading the path
 * ```ts
 * import { type UnixAddress, unix } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const address: UnixAddress = unix("/run/x");
 * assertEquals(address.path, "/run/x");
 * ```
 */
export interface UnixAddress {
  /** The kind of address. */
  readonly transport: "unix";
  /** A path, an abstract name after a leading NUL, or `""` for an unnamed peer. */
  readonly path: string;
}

/**
 * A host name and a port, to be resolved when connecting; {@linkcode hostAddress} creates one.
 *
 * @example Reading the name
 * ```ts
 * import { type HostAddress, hostAddress } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const address: HostAddress = hostAddress("example.com", 80);
 * assertEquals(address.name, "example.com");
 * ```
 */
export interface HostAddress {
  /** The kind of address: a name that is not yet resolved. */
  readonly transport: "host";
  /** A host name or an IP address literal. */
  readonly name: string;
  /** The port, 0 to 65535. */
  readonly port: number;
}

/**
 * The address of a stream socket.
 *
 * @example Either kind
 * ```ts
 * import { formatAddress, type StreamAddress, tcp, unix } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const addresses: StreamAddress[] = [tcp("127.0.0.1", 80), unix("/run/x")];
 * assertEquals(addresses.map(formatAddress), ["tcp:127.0.0.1:80", "unix:/run/x"]);
 * ```
 */
export type StreamAddress = TcpAddress | UnixAddress;

/**
 * The address of a datagram socket.
 *
 * @example Either kind
 * ```ts
 * import { type DatagramAddress, formatAddress, udp, unix } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const addresses: DatagramAddress[] = [udp("127.0.0.1", 53), unix("/run/x")];
 * assertEquals(addresses.map(formatAddress), ["udp:127.0.0.1:53", "unix:/run/x"]);
 * ```
 */
export type DatagramAddress = UdpAddress | UnixAddress;

/**
 * The address of a socket.
 *
 * @example Telling them apart
 * ```ts
 * import { type Address, tcp, udp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const addresses: Address[] = [tcp("127.0.0.1", 80), udp("127.0.0.1", 80)];
 * assertEquals(addresses.map(({ transport }) => transport), ["tcp", "udp"]);
 * ```
 */
export type Address = StreamAddress | DatagramAddress;

/**
 * Returns the address of a TCP socket.
 *
 * @param ip An IP address, or its text as {@linkcode IpAddress.parse} reads it; never a name.
 * @param port The port.
 * @returns The address, frozen.
 * @throws {SyntaxError} If the text is not an IP address.
 * @throws {TypeError} If `ip` is neither text nor an {@linkcode IpAddress}, or `port` is not a
 * number.
 * @throws {RangeError} If `port` is not an integer from 0 to 65535.
 *
 * @example Usage
 * ```ts
 * import { formatAddress, tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddress(tcp("::1", 80)), "tcp:[::1]:80");
 * ```
 */
export function tcp(ip: string | IpAddress, port: number): TcpAddress {
  return Object.freeze({ transport: "tcp", ip: toIp(ip), port: checkPort(port) });
}

/**
 * Returns the address of a UDP socket.
 *
 * @param ip An IP address, or its text as {@linkcode IpAddress.parse} reads it; never a name.
 * @param port The port.
 * @returns The address, frozen.
 * @throws {SyntaxError} If the text is not an IP address.
 * @throws {TypeError} If `ip` is neither text nor an {@linkcode IpAddress}, or `port` is not a
 * number.
 * @throws {RangeError} If `port` is not an integer from 0 to 65535.
 *
 * @example Usage
 * ```ts
 * import { formatAddress, udp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddress(udp("127.0.0.1", 53)), "udp:127.0.0.1:53");
 * ```
 */
export function udp(ip: string | IpAddress, port: number): UdpAddress {
  return Object.freeze({ transport: "udp", ip: toIp(ip), port: checkPort(port) });
}

/**
 * Returns the address of a Unix domain socket. Every path is an address, including the empty one of
 * an unnamed peer; {@linkcode checkUnixPath} tells which can be listened on or connected to.
 *
 * @param path A path in the file system, an abstract name after a leading NUL, or `""`.
 * @returns The address, frozen.
 * @throws {TypeError} If `path` is not a string, or has a NUL that is not its first character.
 *
 * @example Usage
 * ```ts
 * import { formatAddress, unix } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddress(unix("/run/x")), "unix:/run/x");
 * assertEquals(formatAddress(unix("\0x")), "unix:@x");
 * ```
 */
export function unix(path: string): UnixAddress {
  if (typeof path !== "string") {
    throw new TypeError(`Cannot make a Unix address as path must be a string: current value is ${describe(path)}`);
  }
  if (path.includes("\0", 1)) {
    throw new TypeError(
      `Cannot make a Unix address as only its first character can be NUL: path is ${quoteText(path)}`,
    );
  }
  return Object.freeze({ transport: "unix", path });
}

/**
 * Returns the address of a host by name.
 *
 * @param name A host name or an IP address literal that {@linkcode checkHostName} allows.
 * @param port The port.
 * @returns The address, frozen, with the name unchanged.
 * @throws {SyntaxError} If `name` is neither a valid host name nor an IP address literal.
 * @throws {TypeError} If `name` is not a string, or `port` is not a number.
 * @throws {RangeError} If `port` is not an integer from 0 to 65535.
 *
 * @example Usage
 * ```ts
 * import { formatAddress, hostAddress } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddress(hostAddress("example.com", 80)), "host:example.com:80");
 * ```
 */
export function hostAddress(name: string, port: number): HostAddress {
  checkHostName(name);
  return Object.freeze({ transport: "host", name, port: checkPort(port) });
}

/**
 * Formats an address as one line of text that {@linkcode parseAddress} parses back:
 * `tcp:127.0.0.1:80`, `tcp:[::1]:80`, `udp:...`, `host:example.com:80`, `unix:/run/x`, `unix:` for
 * an unnamed peer and `unix:@x` for the abstract name `x`. To distinguish files from abstract
 * names, a relative path that begins with `@`, or with any number of `./` and then `@`, is prefixed
 * by another `./`: the file `@x` is `unix:./@x`.
 *
 * A Unix path is not escaped, so escape the text before showing it where line breaks matter.
 *
 * @param address The address to format.
 * @returns The text.
 * @throws {TypeError} If `address` is not an address.
 *
 * @example Usage
 * ```ts
 * import { formatAddress, tcp, unix } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(formatAddress(tcp("fe80::1%eth0", 80)), "tcp:[fe80::1%eth0]:80");
 * assertEquals(formatAddress(unix("@x")), "unix:./@x");
 * ```
 */
export function formatAddress(address: Address | HostAddress): string {
  const { transport, host, port } = partsOf(address);
  if (transport !== "unix") return `${transport}:${bracket(`${host}`)}:${port}`;
  const path = host as string;
  if (path.startsWith("\0")) return `unix:@${path.slice(1)}`;
  return /^(?:\.\/)*@/.test(path) ? `unix:./${path}` : `unix:${path}`;
}

/** The parts of an address. */
interface AddressParts {
  readonly transport: "tcp" | "udp" | "unix" | "host";
  /** The IP address, the name or the path. */
  readonly host: IpAddress | string;
  readonly port: number | undefined;
}

/** Returns the parts of an address, each field read once and type-checked: it may be foreign. */
function partsOf(address: Address | HostAddress): AddressParts {
  if (typeof address !== "object" || address === null) {
    throw new TypeError(`Cannot use address as it must be an address: current value is ${describe(address)}`);
  }
  const { transport } = address;
  switch (transport) {
    case "tcp":
    case "udp":
      return { transport, host: readIp(address.ip), port: checkPort(address.port) };
    case "host":
      return { transport, host: checkText("name", address.name), port: checkPort(address.port) };
    case "unix":
      return { transport, host: checkText("path", address.path), port: undefined };
    default:
      throw new TypeError(`Cannot use address as it must be an address: its transport is ${describe(transport)}`);
  }
}

/** Returns an IP address; one of another copy of the library is converted through its text. */
function readIp(ip: unknown): IpAddress {
  if (typeof ip !== "object" || ip === null || IpAddress.isIpAddress(ip)) return checkIp(ip);
  try {
    return IpAddress.parse(textOf(ip));
  } catch {
    return checkIp(ip);
  }
}

function checkText(name: string, text: unknown): string {
  if (typeof text === "string") return text;
  throw new TypeError(`Cannot use address as ${name} must be a string: current value is ${describe(text)}`);
}

/**
 * Parses the text of an address in exactly the form that {@linkcode formatAddress} produces.
 *
 * @param text The text to parse.
 * @returns The address, frozen.
 * @throws {TypeError} If `text` is not a string.
 * @throws {SyntaxError} If `text` is not an address; the message says which rule it breaks.
 *
 * @example Usage
 * ```ts
 * import { parseAddress, tcp, unix } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseAddress("tcp:[::1]:80"), tcp("::1", 80));
 * assertEquals(parseAddress("unix:@x"), unix("\0x"));
 * ```
 */
export function parseAddress(text: string): Address | HostAddress {
  if (typeof text !== "string") {
    throw new TypeError(`Cannot parse address as text must be a string: current value is ${describe(text)}`);
  }
  const fail: Fail = (rule) => {
    throw new SyntaxError(`Cannot parse address ${quoteText(text)}: ${rule}`);
  };
  const [, transport, rest] = /^(tcp|udp|unix|host):(.*)$/s.exec(text) ?? [];
  if (transport === undefined) fail('an address begins with "tcp:", "udp:", "unix:" or "host:"');
  if (transport === "unix") return unix(parsePath(rest, fail));
  const [host, port] = splitPort(rest, fail);
  try {
    if (transport === "host") return hostAddress(host, port);
    return transport === "tcp" ? tcp(host, port) : udp(host, port);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return fail(error.message.replace(/^Cannot/, "cannot"));
  }
}

/**
 * Reports whether two addresses are equal. TCP and UDP addresses differ, as do an IPv4 address and
 * its IPv4-mapped form. Host names are compared ignoring ASCII case.
 *
 * @param a One address.
 * @param b Another address.
 * @returns `true` if they are equal.
 * @throws {TypeError} If one of them is not an address.
 *
 * @example Usage
 * ```ts
 * import { sameAddress, tcp, udp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(sameAddress(tcp("::1", 80), tcp("0::1", 80)), true);
 * assertEquals(sameAddress(tcp("::1", 80), udp("::1", 80)), false);
 * ```
 */
export function sameAddress(a: Address | HostAddress, b: Address | HostAddress): boolean {
  const [one, other] = [partsOf(a), partsOf(b)];
  if (one.transport !== other.transport || one.port !== other.port) return false;
  if (one.transport === "unix") return one.host === other.host;
  return `${one.host}`.toLowerCase() === `${other.host}`.toLowerCase();
}

/**
 * Checks that a path can be listened on or connected to: it is not empty, and fits in a socket
 * address ({@linkcode maxUnixPathBytes}), so that no system truncates it to the name of another
 * file.
 *
 * @param path The path of a {@linkcode UnixAddress}.
 * @throws {TypeError} If `path` is not a string, is empty, is an abstract name without characters,
 * is too long, has a NUL that is not its first character, or is not well-formed Unicode, which
 * would name another file.
 */
export function checkUnixPath(path: string): void {
  const name = unix(path).path.replace(/^\0/, "");
  const refuse = (rule: string): never => {
    throw new TypeError(`Cannot use Unix path ${quoteText(path)}: ${rule}`);
  };
  if (name === "") refuse("it is empty");
  if (/\p{Cs}/u.test(name)) refuse("it is not well-formed Unicode");
  const { length } = new TextEncoder().encode(name);
  if (length > maxUnixPathBytes) refuse(`it has ${length} bytes, and the system takes ${maxUnixPathBytes}`);
}

/**
 * Checks that text is a valid host name or an IP address literal, without a lookup.
 *
 * A host name has at most 253 characters, in labels of 1 to 63 ASCII letters, digits, `_` and `-`,
 * which neither begin nor end with `-`; a final dot is allowed. Resolvers take a name whose last
 * label is a number for an IPv4 address in a legacy spelling (`127.1`, `0177.0.0.1`, `0x7f000001`,
 * `2130706433`), so such a name is allowed only as a canonical IPv4 address. An IPv6 address has no
 * brackets.
 *
 * @param name The name to check.
 * @throws {TypeError} If `name` is not a string.
 * @throws {SyntaxError} If `name` is neither a valid host name nor an IP address literal.
 */
export function checkHostName(name: string): void {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot use host name as it must be a string: current value is ${describe(name)}`);
  }
  const refuse = (rule: string): never => {
    throw new SyntaxError(`Cannot use host name ${quoteText(name)}: ${rule}`);
  };
  if (/[:/?#@]/.test(name)) refuseUrl(name, refuse);
  if (name.includes(":")) return void IpAddress.parse(name);
  const bare = name.endsWith(".") ? name.slice(0, -1) : name;
  if (bare === "") refuse("it is empty");
  if (bare.length > 253) refuse("a host name has at most 253 characters");
  const strange = /[^A-Za-z0-9_.-]/u.exec(bare);
  if (strange !== null) {
    const ascii = aLabels(bare);
    if (ascii !== undefined) refuse(`write an internationalized name in its A-label form, ${quoteText(ascii, 253)}`);
    refuse(`the character ${quoteText(strange[0])} is not part of a host name`);
  }
  const labels = bare.split(".");
  if (labels.some((label) => label === "" || label.length > 63)) refuse("a label has 1 to 63 characters");
  if (labels.some((label) => label.startsWith("-") || label.endsWith("-"))) {
    refuse('a label neither begins nor ends with "-"');
  }
  if (!/^(?:[0-9]+|0[xX][0-9A-Fa-f]*)$/.test(labels[labels.length - 1])) return;
  if (!isCanonicalQuad(name)) refuse("a name that ends in a number must be a canonical IPv4 address");
}

/** Refuses URLs, parts of URLs, and names with a port. IPv6 address literals pass. */
function refuseUrl(name: string, refuse: (rule: string) => never): void {
  if (/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(name)) refuse("it is a URL: use its host name alone");
  if (/[/?#@]/.test(name)) refuse("it is a part of a URL: use the host name alone");
  if (/^\[.*\]$/.test(name)) refuse("the literal of an IPv6 address has no brackets here");
  if (/^(?:[^:]*|\[.*\]):[0-9]*$/.test(name)) {
    refuse("a host name has no port here: the port is an argument of its own");
  }
}

/** Returns the A-label form of a name (RFC 5890), if it has one that differs. */
function aLabels(name: string): string | undefined {
  if (name.length > 253 || !/\P{ASCII}/u.test(name) || /\p{Cc}/u.test(name)) return undefined; // URL drops tabs
  try {
    const { hostname } = new URL(`http://${name}/`);
    return /^[a-z0-9.-]+$/.test(hostname) ? hostname : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Checks an address passed in by a caller, which may be a plain object, and copies it. Each field
 * is read once, so that what was checked is what is used.
 *
 * @param value The value to check.
 * @returns A frozen address with the same fields.
 * @throws {TypeError} If `value` is not the address of a stream socket, or a field has the wrong
 * type.
 * @throws {RangeError} If the port is not an integer from 0 to 65535.
 */
export function checkStreamAddress(value: unknown): StreamAddress {
  const address = checkAddress(value);
  if (address.transport === "tcp" || address.transport === "unix") return address;
  throw wrongTransport(address, '"tcp" or "unix"');
}

/**
 * Checks and copies the address of a datagram socket, like {@linkcode checkStreamAddress}.
 *
 * @param value The value to check.
 * @returns A frozen address with the same fields.
 * @throws {TypeError} If `value` is not the address of a datagram socket, or a field has the wrong
 * type.
 * @throws {RangeError} If the port is not an integer from 0 to 65535.
 */
export function checkDatagramAddress(value: unknown): DatagramAddress {
  const address = checkAddress(value);
  if (address.transport === "udp" || address.transport === "unix") return address;
  throw wrongTransport(address, '"udp" or "unix"');
}

/**
 * Checks and copies a TCP or UDP address, like {@linkcode checkStreamAddress}.
 *
 * @param value The value to check.
 * @returns A frozen address with the same fields.
 * @throws {TypeError} If `value` is neither a TCP nor a UDP address, or a field has the wrong type.
 * @throws {RangeError} If the port is not an integer from 0 to 65535.
 */
export function checkIpEndpoint(value: unknown): TcpAddress | UdpAddress {
  const address = checkAddress(value);
  if (address.transport === "tcp" || address.transport === "udp") return address;
  throw wrongTransport(address, '"tcp" or "udp"');
}

/**
 * Checks and copies the target of a connection, a stream address or a host name, like
 * {@linkcode checkStreamAddress}.
 *
 * @param value The value to check.
 * @returns A frozen address with the same fields.
 * @throws {TypeError} If `value` is neither, or a field has the wrong type.
 * @throws {SyntaxError} If the name is neither a valid host name nor an IP address literal.
 * @throws {RangeError} If the port is not an integer from 0 to 65535.
 */
export function checkTargetAddress(value: unknown): StreamAddress | HostAddress {
  const address = checkAddress(value);
  if (address.transport !== "udp") return address;
  throw wrongTransport(address, '"tcp", "unix" or "host"');
}

function checkAddress(value: unknown): Address | HostAddress {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`Cannot use address as it must be an address: current value is ${describe(value)}`);
  }
  const address = value as { transport?: unknown; ip?: unknown; port?: unknown; path?: unknown; name?: unknown };
  const { transport } = address;
  switch (transport) {
    case "tcp":
      return tcp(checkIp(address.ip), address.port as number);
    case "udp":
      return udp(checkIp(address.ip), address.port as number);
    case "unix":
      return unix(address.path as string);
    case "host":
      return hostAddress(address.name as string, address.port as number);
    default:
      throw new TypeError(
        `Cannot use address as transport must be "tcp", "udp", "unix" or "host": current value is ${
          describe(transport)
        }`,
      );
  }
}

function wrongTransport(address: Address | HostAddress, wanted: string): TypeError {
  const text = quoteText(formatAddress(address));
  return new TypeError(
    `Cannot use address ${text} as transport must be ${wanted}: current value is "${address.transport}"`,
  );
}

function toIp(ip: string | IpAddress): IpAddress {
  if (typeof ip !== "string") return checkIp(ip);
  try {
    return IpAddress.parse(ip);
  } catch (error) {
    if (!isName(ip)) throw error;
    throw new SyntaxError(`Cannot use ${quoteText(ip)} as an IP address: it is a name, use hostAddress() for names`);
  }
}

/** Reports whether `text` is a valid host name, and not a misspelt IP address. */
function isName(text: string): boolean {
  try {
    checkHostName(text);
    return !text.includes(":");
  } catch {
    return false;
  }
}

function checkIp(ip: unknown): IpAddress {
  if (IpAddress.isIpAddress(ip)) return ip;
  const what = isOfAnotherCopy(ip, IpAddress, "IpAddress")
    ? "one of another copy of @sluice/io, so use its text"
    : describe(ip);
  throw new TypeError(`Cannot use address as ip must be an IpAddress: current value is ${what}`);
}

function checkPort(port: number): number {
  if (typeof port !== "number") {
    throw new TypeError(`Cannot use address as port must be a number: current value is ${describe(port)}`);
  }
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`Cannot use address as port must be an integer from 0 to 65535: current value is ${port}`);
  }
  return port + 0; // -0 is 0
}

function isCanonicalQuad(name: string): boolean {
  try {
    return IpAddress.parse(name).version === 4;
  } catch {
    return false;
  }
}

function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** Throws a `SyntaxError` that names the whole text and the rule that it breaks. */
type Fail = (rule: string) => never;

/** Splits `host:port` or `[host]:port`. */
function splitPort(text: string, fail: Fail): [host: string, port: number] {
  const match = /^(?:\[([^\]]*:[^\]]*)\]|([^:[\]]*)):(0|[1-9][0-9]{0,4})$/.exec(text);
  if (match === null || Number(match[3]) > 65535) {
    return fail('after the transport come a host, in brackets if it has a colon, then ":" and a port from 0 to 65535');
  }
  return [match[1] ?? match[2], Number(match[3])];
}

function parsePath(text: string, fail: Fail): string {
  if (text.includes("\0")) fail('a NUL is not part of the text: an abstract name begins with "@"');
  if (text.startsWith("@")) return `\0${text.slice(1)}`;
  return /^(?:\.\/)+@/.test(text) ? text.slice(2) : text;
}

/** Returns an address for messages and dumps: escaped and truncated. */
export function describeAddress(address: Address | HostAddress): string {
  return escapeText(formatAddress(address));
}
