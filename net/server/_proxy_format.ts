// Copyright 2026 the Sluice authors. MIT license.

/** The constants of the PROXY protocol, and its checksum. */

/** The first bytes of a header of version 1: `PROXY `. */
export const signature1: Uint8Array<ArrayBuffer> = Uint8Array.of(80, 82, 79, 88, 89, 32);

/** The first bytes of a header of version 2: `\r\n\r\n\0\r\nQUIT\n`. */
export const signature2: Uint8Array<ArrayBuffer> = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10);

/** The most bytes of a header of version 1, with the end of its line. */
export const maxLine = 107;

/** The bytes of a header of version 2 before its addresses. */
export const fixedSize = 16;

/** The most bytes after these: a 16-bit length. */
export const maxBlock = 0xffff;

/** Versions and commands of version 2. */
export const localCommand = 0x20;
export const proxyCommand = 0x21;

/** The families of addresses: the high half of a byte, and the bytes that one address takes. */
export const families: Readonly<Record<"unspecified" | "ip4" | "ip6" | "unix", { code: number; size: number }>> = {
  unspecified: { code: 0, size: 0 },
  ip4: { code: 1, size: 4 },
  ip6: { code: 2, size: 16 },
  unix: { code: 3, size: 108 },
};

/** The kinds of transport: the low half of that byte. */
export const stream = 1;
export const datagram = 2;

/** The type of a TLV that has the CRC-32C of the header, and the size of its value. */
export const crcType = 3;
export const crcSize = 4;

/** The bytes of a TLV before its value. */
export const tlvHead = 3;

/** The polynomial of CRC-32C (Castagnoli), with its bits reversed: RFC 3720, appendix B.4. */
const polynomial = 0x82f63b78;

let table: Uint32Array | undefined;

/** Returns the CRC-32C of several pieces, as an unsigned number. */
export function crc32c(...pieces: readonly Uint8Array[]): number {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    return value;
  });
  let crc = 0xffff_ffff;
  for (const piece of pieces) {
    for (const byte of piece) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
