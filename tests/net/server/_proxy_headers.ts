// Copyright 2026 the Sluice authors. MIT license.

/** Headers of the PROXY protocol, written by hand from haproxy's text. */
import { bytesOf } from "../../_helpers.ts";

/** The signature of version 2. */
export const signature: readonly number[] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];

/** Returns a header of version 2: the bytes of its command and its family, and what follows the length. */
export function binary(command: number, family: number, block: readonly number[], length = block.length) {
  return Uint8Array.from([...signature, command, family, length >> 8, length & 255, ...block]);
}

/** 192.0.2.1:50000 to 192.0.2.9:443. */
export const ip4: readonly number[] = [192, 0, 2, 1, 192, 0, 2, 9, 0xc3, 0x50, 1, 0xbb];

/** [2001:db8::1]:50000 to [2001:db8::9]:443. */
export const ip6: readonly number[] = [
  ...[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
  ...[0xc3, 0x50, 1, 0xbb],
];

/** The 108 bytes of a Unix path. */
export function path(text: string): number[] {
  const bytes = bytesOf(text);
  return [...bytes, ...new Uint8Array(108 - bytes.length)];
}

/** A TLV. */
export function tlv(type: number, value: readonly number[], length = value.length): number[] {
  return [type, length >> 8, length & 255, ...value];
}

export const line4 = "PROXY TCP4 192.0.2.1 192.0.2.9 50000 443\r\n";
export const line6 = "PROXY TCP6 2001:db8::1 2001:db8::9 50000 443\r\n";
