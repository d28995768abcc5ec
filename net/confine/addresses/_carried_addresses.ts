// Copyright 2026 the Sluice authors. MIT license.

import { IpAddress } from "../../internal.ts";

/** Where an IPv4 address is in an IPv6 address that begins with `prefix`. */
interface Form {
  /** The first bytes. */
  readonly prefix: readonly number[];
  /** The positions of the four bytes. */
  readonly at: readonly [number, number, number, number];
  /** Whether the bytes are inverted. */
  readonly inverted?: boolean;
}

const last: Form["at"] = [12, 13, 14, 15];
const zeros = (count: number) => new Array<number>(count).fill(0);

const forms: readonly Form[] = [
  { prefix: zeros(12), at: last }, // IPv4-compatible, RFC 4291
  { prefix: [...zeros(10), 0xff, 0xff], at: last }, // IPv4-mapped, RFC 4291
  { prefix: [...zeros(8), 0xff, 0xff, 0, 0], at: last }, // IPv4-translated, RFC 2765
  { prefix: [0, 0x64, 0xff, 0x9b, ...zeros(8)], at: last }, // NAT64, RFC 6052
  { prefix: [0, 0x64, 0xff, 0x9b, 0, 1], at: last }, // local NAT64 with a prefix of 96 bits, RFC 8215
  { prefix: [0, 0x64, 0xff, 0x9b, 0, 1], at: [6, 7, 9, 10] }, // the same with one of 48 bits
  { prefix: [0, 0x64, 0xff, 0x9b, 0, 1], at: [7, 9, 10, 11] }, // of 56 bits
  { prefix: [0, 0x64, 0xff, 0x9b, 0, 1], at: [9, 10, 11, 12] }, // of 64 bits
  { prefix: [0x20, 0x02], at: [2, 3, 4, 5] }, // 6to4, RFC 3056
  { prefix: [0x20, 0x01, 0, 0], at: [4, 5, 6, 7] }, // the server of Teredo, RFC 4380
  { prefix: [0x20, 0x01, 0, 0], at: last, inverted: true }, // the client of Teredo
];

/** The bytes of an ISATAP interface identifier (RFC 5214) before its IPv4 address. */
const isatap: readonly (readonly number[])[] = [[0, 0, 0x5e, 0xfe], [2, 0, 0x5e, 0xfe]];

/**
 * Returns the IPv4 addresses that an IPv6 address carries, and to which a translator or a tunnel
 * would send its packets.
 */
export function carriedAddresses({ version, bytes }: IpAddress): IpAddress[] {
  if (version === 4) return [];
  const found = forms.filter(({ prefix }) => prefix.every((byte, i) => bytes[i] === byte)).map(({ at, inverted }) =>
    at.map((i) => inverted ? bytes[i] ^ 0xff : bytes[i])
  );
  if (isIsatap(bytes)) found.push([...bytes.subarray(12)]);
  return found.map((four) => IpAddress.fromBytes(Uint8Array.from(four)));
}

/** Reports whether an IPv6 address has an ISATAP interface identifier. */
export function isIsatap(bytes: Uint8Array): boolean {
  return isatap.some((id) => id.every((byte, i) => bytes[8 + i] === byte));
}
