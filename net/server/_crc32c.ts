// Copyright 2026 the Sluice authors. MIT license.

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
