// Copyright 2026 the Sluice authors. MIT license.

import { freezeClass, quoteText, setKind } from "../base/internal.ts";
import { isBytes } from "../flow/internal.ts";

/** Whether the constructor checks the zone: not for addresses that come from the system. */
let checksZones = true;

/**
 * An IPv4 or IPv6 address: an immutable value.
 *
 * Parsing is strict. An IPv4 address is four decimal numbers without leading zeros, so that
 * misleading legacy spellings (`127.1`, `0177.0.0.1`, `0x7f000001`) are refused. An IPv6 address is
 * parsed as in RFC 4291, and formatted as in RFC 5952. An IPv4-mapped address (`::ffff:127.0.0.1`)
 * is an IPv6 address; {@linkcode IpAddress.unmapped} converts it.
 *
 * The class cannot be extended, and its instances and prototype are frozen, so an address that
 * {@linkcode IpAddress.isIpAddress} accepts never changes.
 *
 * @example Usage
 * ```ts
 * import { IpAddress } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const ip = IpAddress.parse("2001:DB8:0:0:0:0:0:1");
 * assertEquals(ip.version, 6);
 * assertEquals(ip.toString(), "2001:db8::1");
 * ```
 */
export class IpAddress {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #zone: string | undefined;

  /**
   * The canonical text, as {@linkcode IpAddress.toString} returns it. It is the only own property,
   * so that two addresses are deeply equal if and only if they are the same address.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.loopback6.text, "::1");
   * ```
   */
  readonly text: string;

  /**
   * The IPv4 loopback address, `127.0.0.1`.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.loopback4.toString(), "127.0.0.1");
   * ```
   */
  static readonly loopback4: IpAddress = new IpAddress(Uint8Array.of(127, 0, 0, 1));

  /**
   * The IPv6 loopback address, `::1`.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.loopback6.toString(), "::1");
   * ```
   */
  static readonly loopback6: IpAddress = new IpAddress(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1));

  /**
   * The unspecified IPv4 address, `0.0.0.0`: a listener on it accepts on every IPv4 interface.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.any4.toString(), "0.0.0.0");
   * ```
   */
  static readonly any4: IpAddress = new IpAddress(new Uint8Array(4));

  /**
   * The unspecified IPv6 address, `::`: a listener on it accepts on every interface.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.any6.toString(), "::");
   * ```
   */
  static readonly any6: IpAddress = new IpAddress(new Uint8Array(16));

  static {
    setKind(this, "IpAddress");
    freezeClass(this);
  }

  /**
   * Creates an address from its bytes and, for IPv6, its zone. {@linkcode IpAddress.parse} parses
   * text.
   *
   * @param bytes 4 or 16 bytes in network order, which are copied.
   * @param zone The zone of an IPv6 address, such as `"eth0"`.
   * @throws {TypeError} If `bytes` is not a `Uint8Array`, `zone` is not a string, or a subclass is
   * constructed.
   * @throws {RangeError} If `bytes` has neither 4 nor 16 bytes.
   * @throws {SyntaxError} If `zone` is not a zone, or the address is IPv4.
   */
  constructor(bytes: Uint8Array, zone?: string | undefined) {
    if (new.target !== IpAddress) throw new TypeError("Cannot construct a subclass of IpAddress");
    if (!isBytes(bytes)) {
      throw new TypeError(
        `Cannot make an IP address as bytes must be a Uint8Array: current value is a ${typeof bytes}`,
      );
    }
    if (zone !== undefined && typeof zone !== "string") {
      throw new TypeError(`Cannot make an IP address as zone must be a string: current value is a ${typeof zone}`);
    }
    this.#bytes = new Uint8Array(bytes);
    const { length } = this.#bytes;
    if (length !== 4 && length !== 16) {
      throw new RangeError(`Cannot make an IP address as bytes must have length 4 or 16: current value is ${length}`);
    }
    const rule = zone === undefined || !checksZones ? undefined : brokenZoneRule(zone, length);
    if (rule !== undefined) throw new SyntaxError(`Cannot use zone ${quoteText(zone!)}: ${rule}`);
    this.#zone = zone;
    this.text = length === 4
      ? format4(this.#bytes)
      : format6(this.#bytes) + (zone === undefined ? "" : `%${escapeZone(zone)}`);
    Object.freeze(this);
  }

  /**
   * Parses an address: an IPv4 dotted quad in canonical decimal, or the text form of IPv6 in RFC
   * 4291 with an optional zone (`fe80::1%eth0`). Brackets, spaces and other spellings are refused.
   * Before a zone, `%25`, the form of `%` in a URL, is refused too, unless only digits follow,
   * which may be an interface index.
   *
   * @param text The text to parse.
   * @returns The address.
   * @throws {TypeError} If `text` is not a string.
   * @throws {SyntaxError} If `text` is not an address; the message says which rule it breaks.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals, assertThrows } from "@std/assert";
   *
   * assertEquals(IpAddress.parse("10.0.0.1").version, 4);
   * assertEquals(IpAddress.parse("fe80::1%eth0").zone, "eth0");
   * assertThrows(() => IpAddress.parse("127.1"), SyntaxError);
   * ```
   */
  static parse(text: string): IpAddress {
    if (typeof text !== "string") {
      throw new TypeError(`Cannot parse IP address as text must be a string: current value is a ${typeof text}`);
    }
    const fail: Fail = (rule) => {
      throw new SyntaxError(`Cannot parse IP address ${quoteText(text)}: ${rule}`);
    };
    const percent = text.indexOf("%");
    if (percent < 0) return new IpAddress(parseLiteral(text, fail));
    const bytes = parseLiteral(text.slice(0, percent), fail);
    const zone = text.slice(percent + 1);
    const rule = brokenZoneRule(zone, bytes.length);
    return rule === undefined ? new IpAddress(bytes, zone) : fail(rule);
  }

  /**
   * Returns the address with these bytes.
   *
   * @param bytes 4 or 16 bytes in network order, which are copied.
   * @returns The address.
   * @throws {TypeError} If `bytes` is not a `Uint8Array`.
   * @throws {RangeError} If `bytes` has neither 4 nor 16 bytes.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.fromBytes(Uint8Array.of(10, 0, 0, 1)).toString(), "10.0.0.1");
   * ```
   */
  static fromBytes(bytes: Uint8Array): IpAddress {
    return new IpAddress(bytes);
  }

  /**
   * Reports whether `value` was created by this class. Its shape or prototype alone do not count.
   *
   * @param value The value to test.
   * @returns `true` for an address created by this class.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.isIpAddress(IpAddress.any4), true);
   * assertEquals(IpAddress.isIpAddress(Object.create(IpAddress.any4)), false);
   * ```
   */
  static isIpAddress(value: unknown): value is IpAddress {
    return typeof value === "object" && value !== null && #bytes in value;
  }

  /**
   * The IP version, 4 or 6.
   *
   * @returns 4 or 6.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.parse("::ffff:10.0.0.1").version, 6);
   * ```
   */
  get version(): 4 | 6 {
    return this.#bytes.length === 4 ? 4 : 6;
  }

  /**
   * The 4 or 16 bytes in network order, as a copy.
   *
   * @returns A new array on each access.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.loopback4.bytes, Uint8Array.of(127, 0, 0, 1));
   * ```
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes);
  }

  /**
   * The zone of an IPv6 address: the interface, by name or index, of a link-local address.
   *
   * The address of a peer has the system's zone, unchecked: an interface name may contain what
   * {@linkcode IpAddress.parse} refuses, even control characters. They are escaped in the text of
   * the address, which `parse` then refuses.
   *
   * @returns The zone, or `undefined`.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.parse("fe80::1%2").zone, "2");
   * assertEquals(IpAddress.parse("fe80::1").zone, undefined);
   * ```
   */
  get zone(): string | undefined {
    return this.#zone;
  }

  /**
   * Reports whether `other` has the same bytes and the same zone. An IPv4 address is not equal to
   * its IPv4-mapped form; compare the results of {@linkcode IpAddress.unmapped} to ignore that.
   *
   * @param other The address to compare with.
   * @returns `true` if they are equal.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.parse("0:0::1").equals(IpAddress.loopback6), true);
   * ```
   */
  equals(other: IpAddress): boolean {
    return IpAddress.isIpAddress(other) && this.text === other.text;
  }

  /**
   * Unwraps an IPv4-mapped IPv6 address (`::ffff:0:0/96`), dropping its zone; returns any other
   * address unchanged.
   *
   * @returns The IPv4 address, or this address.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.parse("::ffff:7f00:1").unmapped(), IpAddress.loopback4);
   * ```
   */
  unmapped(): IpAddress {
    return isMapped(this.#bytes) ? new IpAddress(this.#bytes.subarray(12)) : this;
  }

  /**
   * Returns the canonical text: dotted decimal for IPv4, RFC 5952 for IPv6, with a dotted tail if
   * IPv4-mapped.
   *
   * @returns Text that {@linkcode IpAddress.parse} parses back.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(IpAddress.parse("1:0:0:2:0:0:0:3").toString(), "1:0:0:2::3");
   * ```
   */
  toString(): string {
    return this.text;
  }

  /**
   * Returns the canonical text, for `JSON.stringify`.
   *
   * @returns The same as {@linkcode IpAddress.toString}.
   *
   * @example Usage
   * ```ts
   * import { IpAddress } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(JSON.stringify([IpAddress.any6]), '["::"]');
   * ```
   */
  toJSON(): string {
    return this.text;
  }
}

/**
 * Parses an address reported by the system or a runtime. Its zone is an interface name, which is
 * not checked: the rules of {@linkcode IpAddress.parse} are for users' input.
 */
export function systemIp(text: string): IpAddress {
  const percent = text.indexOf("%");
  if (percent < 0) return IpAddress.parse(text);
  const ip = IpAddress.parse(text.slice(0, percent));
  const zone = text.slice(percent + 1);
  if (zone === "" || ip.version === 4) return ip;
  checksZones = false;
  try {
    return new IpAddress(ip.bytes, zone);
  } finally {
    checksZones = true;
  }
}

/** Reports whether {@linkcode IpAddress.parse} accepts the text of an address. */
export function hasPlainZone({ zone }: IpAddress): boolean {
  return zone === undefined || brokenZoneRule(zone, 16) === undefined;
}

/** Characters that would break a log line, or the syntax of an address. */
const unusual = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Z}%[\]\\]/gu;

function escapeZone(zone: string): string {
  return zone.replace(unusual, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

const zero = "0".charCodeAt(0);

/** Throws a `SyntaxError` that names the whole text and the rule that it breaks. */
type Fail = (rule: string) => never;

function brokenZoneRule(zone: string, length: number): string | undefined {
  if (length === 4) return "only an IPv6 address has a zone";
  if (!/^[A-Za-z0-9._~-]+$/.test(zone)) return "a zone has one or more of the characters A-Z a-z 0-9 . _ ~ -";
  // "25" and more digits can be an interface index.
  return /^25.*[^0-9]/.test(zone) ? 'a zone is not percent-encoded: write "%" and not "%25"' : undefined;
}

function parseLiteral(text: string, fail: Fail): Uint8Array {
  if (text === "") fail("it is empty");
  const strange = /[^0-9A-Fa-f:.]/u.exec(text);
  if (strange !== null) fail(`the character ${quoteText(strange[0])} is not part of an address`);
  return new Uint8Array(text.includes(":") ? parse6(text, fail) : parse4(text, fail));
}

function parse4(text: string, fail: Fail): number[] {
  const numbers: number[] = [];
  for (let start = 0; numbers.length < 4;) {
    const dot = text.indexOf(".", start);
    const end = numbers.length < 3 ? dot : text.length;
    if (end <= start) fail("an IPv4 address has four decimal numbers");
    let number = 0;
    for (let at = start; at < end; at++) {
      const digit = text.charCodeAt(at) - zero;
      if (!(digit >= 0 && digit <= 9)) fail("an IPv4 address has four decimal numbers");
      number = number * 10 + digit;
    }
    if (end - start > 1 && text.charCodeAt(start) === zero) fail("a decimal number has no leading zero");
    if (number > 255) fail("a decimal number is at most 255");
    numbers.push(number);
    start = end + 1;
  }
  return numbers;
}

function parse6(text: string, fail: Fail): number[] {
  const longest = "0000:0000:0000:0000:0000:ffff:255.255.255.255".length;
  if (text.length > longest) fail(`an IPv6 address has at most ${longest} characters`);
  const [before, after, more] = text.split("::");
  if (more !== undefined) fail('"::" occurs more than once');
  if (after === undefined) {
    const bytes = parseGroups(before, true, fail);
    if (bytes.length !== 16) fail('an IPv6 address without "::" has eight groups');
    return bytes;
  }
  const head = parseGroups(before, false, fail);
  const tail = parseGroups(after, true, fail);
  const zeros = 16 - head.length - tail.length;
  if (zeros < 2) fail('"::" stands for at least one group of zeros');
  return [...head, ...new Array<number>(zeros).fill(0), ...tail];
}

/** Parses the groups on one side of `::`; only the address's last group can be a dotted quad. */
function parseGroups(text: string, last: boolean, fail: Fail): number[] {
  if (text === "") return [];
  const groups = text.split(":");
  return groups.flatMap((group, index) => {
    if (last && index === groups.length - 1 && group.includes(".")) return parse4(group, fail);
    if (!/^[0-9A-Fa-f]{1,4}$/.test(group)) fail("a group of an IPv6 address has one to four hexadecimal digits");
    const value = parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes.length === 16 && bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((b) => b === 0);
}

function format4([a, b, c, d]: Uint8Array): string {
  return `${a}.${b}.${c}.${d}`;
}

function format6(bytes: Uint8Array): string {
  if (isMapped(bytes)) return `::ffff:${bytes.subarray(12).join(".")}`;
  const groups = Array.from({ length: 8 }, (_, index) => (bytes[2 * index] << 8) | bytes[2 * index + 1]);
  const { start, length } = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/** Returns the longest run of zero groups: the first one if several are equally long. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, index) => {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > longest.length) longest = { start, length: index + 1 - start };
  });
  return longest;
}
