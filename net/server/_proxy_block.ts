// Copyright 2026 the Sluice authors. MIT license.

/** Headers of version 2, as they are read. */
import { IpAddress, tcp, type TcpAddress, udp, type UdpAddress, unix, type UnixAddress } from "../internal.ts";
import {
  crc32c,
  crcSize,
  crcType,
  datagram,
  families,
  fixedSize,
  localCommand,
  proxyCommand,
  stream,
  tlvHead,
} from "./_proxy_format.ts";
import type { Fail } from "./_proxy_line.ts";
import type { ProxyHeader, ProxyTlv } from "./proxy_header.ts";

/** The parsed first bytes of a header. */
export interface FixedPart {
  readonly command: ProxyHeader["command"];
  /** The family of the addresses; `undefined` if a local header has one that does not exist. */
  readonly family: keyof typeof families | undefined;
  readonly kind: number;
  /** The number of bytes that follow. */
  readonly length: number;
}

const familyNames = Object.keys(families) as (keyof typeof families)[];

/** Parses the first 16 bytes, which begin with the signature. */
export function parseFixed(bytes: Uint8Array, fail: Fail): FixedPart {
  const [versionAndCommand, familyAndKind, high, low] = bytes.subarray(12, fixedSize);
  if (versionAndCommand >> 4 !== 2) fail("the version is not 2", 12);
  if (versionAndCommand !== localCommand && versionAndCommand !== proxyCommand) {
    fail("the command is not LOCAL or PROXY", 12);
  }
  const command = versionAndCommand === localCommand ? "local" : "proxy";
  const family = familyNames.find((name) => families[name].code === familyAndKind >> 4);
  const kind = familyAndKind & 15;
  // Of a local header even the family is to be ignored.
  if (command === "proxy" && (family === undefined || kind > datagram)) {
    fail("the family or the transport does not exist", 13);
  }
  return { command, family, kind, length: high << 8 | low };
}

/** Parses a whole header whose first bytes are `fixed`. */
export function parseBlockOf(bytes: Uint8Array, fixed: FixedPart, fail: Fail): ProxyHeader {
  const { command, family, kind } = fixed;
  const size = addressSize(family);
  const isLong = bytes.length >= fixedSize + size;
  // What is not said in a form that all know is ignored, its TLVs aside.
  if (command === "local" || family === undefined || family === "unspecified" || kind === 0) {
    const tlvs = isLong ? parseTlvs(bytes, fixedSize + size) : undefined;
    if (tlvs !== undefined) checkCrc(bytes, tlvs, fail);
    return { version: 2, command, tlvs: tlvs === undefined ? [] : valuesOf(bytes, tlvs) };
  }
  if (!isLong) fail("it is shorter than the addresses of its family", 14);
  const tlvs = parseTlvs(bytes, fixedSize + size) ?? fail("a TLV is longer than the header", fixedSize + size);
  checkCrc(bytes, tlvs, fail);
  const [source, destination] = family === "unix"
    ? parsePaths(bytes, fail)
    : parseEndpoints(bytes, families[family].size, kind === stream ? tcp : udp);
  return { version: 2, command, source, destination, tlvs: valuesOf(bytes, tlvs) };
}

/** Returns how many bytes two addresses of a family take, with their ports. */
function addressSize(family: keyof typeof families | undefined): number {
  if (family === undefined) return 0;
  const { size } = families[family];
  return 2 * (family === "ip4" || family === "ip6" ? size + 2 : size);
}

type Pair<A> = readonly [source: A, destination: A];

function parseEndpoints(
  bytes: Uint8Array,
  size: number,
  address: (ip: IpAddress, port: number) => TcpAddress | UdpAddress,
): Pair<TcpAddress | UdpAddress> {
  const parse = (index: number) => {
    const ip = fixedSize + index * size;
    const port = fixedSize + 2 * size + 2 * index;
    return address(IpAddress.fromBytes(bytes.subarray(ip, ip + size)), bytes[port] << 8 | bytes[port + 1]);
  };
  return [parse(0), parse(1)];
}

function parsePaths(bytes: Uint8Array, fail: Fail): Pair<UnixAddress> {
  const { size } = families.unix;
  const parse = (index: number) => {
    const at = fixedSize + index * size;
    const path = bytes.subarray(at, at + size);
    return unix(parsePath(path) ?? fail("a Unix path is not UTF-8, or has a NUL within it", at));
  };
  return [parse(0), parse(1)];
}

/** Returns a path, an abstract name after a NUL, or the empty path of an unnamed socket. */
function parsePath(bytes: Uint8Array): string | undefined {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  const path = bytes.subarray(0, end);
  if (path.includes(0, 1)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(path);
  } catch {
    return undefined;
  }
}

/** Where a TLV is in a header. */
interface TlvRange {
  readonly type: number;
  readonly start: number;
  readonly end: number;
}

/** Finds the TLVs from an offset to the end. Returns `undefined` if they do not end there. */
function parseTlvs(bytes: Uint8Array, offset: number): TlvRange[] | undefined {
  const tlvs: TlvRange[] = [];
  for (let at = offset; at < bytes.length;) {
    const start = at + tlvHead;
    if (start > bytes.length) return undefined;
    const end = start + (bytes[at + 1] << 8 | bytes[at + 2]);
    if (end > bytes.length) return undefined;
    tlvs.push({ type: bytes[at], start, end });
    at = end;
  }
  return tlvs;
}

/** Copies the values. */
function valuesOf(bytes: Uint8Array, tlvs: readonly TlvRange[]): ProxyTlv[] {
  return tlvs.map(({ type, start, end }) => Object.freeze({ type, value: bytes.slice(start, end) }));
}

/** Checks the CRC-32C of a header that has one. It is computed with four zeros in its own place. */
function checkCrc(bytes: Uint8Array, tlvs: readonly TlvRange[], fail: Fail): void {
  const [crc, second] = tlvs.filter(({ type }) => type === crcType);
  if (crc === undefined) return;
  const { start, end } = crc;
  if (second !== undefined) fail("it has two CRC32C", second.start);
  if (end - start !== crcSize) fail("its CRC32C does not have four bytes", start);
  const value = new DataView(bytes.buffer, bytes.byteOffset).getUint32(start);
  const actual = crc32c(bytes.subarray(0, start), new Uint8Array(crcSize), bytes.subarray(end));
  if (value !== actual) fail("its CRC32C is wrong", start);
}
