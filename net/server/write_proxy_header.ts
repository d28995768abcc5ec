// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, describe } from "../../base/internal.ts";
import {
  bytesProblem,
  checkSink,
  encode,
  lengthOf,
  operation,
  type Sink,
  viewOf,
  writeAll,
} from "../../flow/internal.ts";
import {
  checkDatagramAddress,
  checkStreamAddress,
  type TcpAddress,
  type UdpAddress,
  type UnixAddress,
} from "../internal.ts";
import {
  crc32c,
  crcSize,
  crcType,
  datagram,
  families,
  fixedSize,
  localCommand,
  maxBlock,
  proxyCommand,
  signature2,
  stream,
  tlvHead,
} from "./_proxy_format.ts";
import { bytes6Of, lineOf } from "./_proxy_line.ts";
import type { ProxyHeader, ProxyTlv } from "./proxy_header.ts";

/** Options for {@linkcode writeProxyHeader}. */
export interface WriteProxyHeaderOptions {
  /**
   * The version to write.
   *
   * @default {header.version}
   */
  version?: 1 | 2 | undefined;
}

const action = "write a PROXY header";

/**
 * Writes a header of the PROXY protocol, which must be the first bytes of a connection.
 *
 * What version 1 cannot say, such as Unix addresses or a local connection, is written as `PROXY
 * UNKNOWN`. Of an IPv4 and an IPv6 address together, the IPv4 address is written as IPv4-mapped. A
 * zone of an address is left out, as it means nothing elsewhere. A local header of version 2 is
 * written without addresses. The value of a CRC32C TLV is computed; whatever it holds is ignored.
 *
 * Source: haproxy's proxy-protocol.txt.
 *
 * @param flow The flow to write to.
 * @param header The header. One that was read can be passed on.
 * @param options The version.
 * @throws {TypeError} If an argument is of the wrong kind, version 1 is to have TLVs, only one of
 * `source` and `destination` is given, they are of different transports, or there are several
 * CRC32C.
 * @throws {RangeError} If a port or the type of a TLV is out of range, a Unix path has more than 108
 * bytes, or the header more than 65551.
 * @throws {Cancelled} If the current scope is cancelled; a part of the header may have been taken.
 *
 * @example A proxy that says who its client is
 * ```ts
 * import { type ConnectionHandler, type Net, proxy, type TcpAddress } from "@sluice/io";
 * import { writeProxyHeader } from "@sluice/io/net/server";
 *
 * function forwardTo(net: Net, target: TcpAddress): ConnectionHandler {
 *   return async (connection, peer, { sw }) => {
 *     const upstream = await net.connect(sw, target);
 *     const { local } = connection;
 *     await writeProxyHeader(upstream, { version: 2, command: "proxy", source: peer, destination: local, tlvs: [] });
 *     await proxy(connection, upstream);
 *   };
 * }
 * ```
 *
 * @example Version 1
 * ```ts
 * import { bufferSink, tcp } from "@sluice/io";
 * import { writeProxyHeader } from "@sluice/io/net/server";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * const [source, destination] = [tcp("192.0.2.1", 50000), tcp("192.0.2.9", 443)];
 * await writeProxyHeader(sink, { version: 1, command: "proxy", source, destination, tlvs: [] });
 * assertEquals(sink.text(), "PROXY TCP4 192.0.2.1 192.0.2.9 50000 443\r\n");
 * ```
 */
export function writeProxyHeader(flow: Sink, header: ProxyHeader, options?: WriteProxyHeaderOptions): Promise<void> {
  return operation(async () => {
    checkSink("write a PROXY header to", flow);
    const given = checkHeader(header);
    const { version = given.version } = checkOptions(action, options);
    checkVersion(version);
    if (version === 1 && given.tlvs.length > 0) {
      throw new TypeError("Cannot write a PROXY header of version 1 with TLVs: only version 2 has them");
    }
    await writeAll(flow, version === 1 ? encode(lineOf(given)) : blockOf(given));
  });
}

/** Checks and copies a header. */
function checkHeader(header: ProxyHeader): ProxyHeader {
  if (typeof header !== "object" || header === null) {
    throw new TypeError(
      `Cannot write a PROXY header as header must be an object: current value is ${describe(header)}`,
    );
  }
  const { version, command, tlvs } = header;
  checkVersion(version);
  if (command !== "proxy" && command !== "local") {
    throw new TypeError(
      `Cannot write a PROXY header as command must be "proxy" or "local": current value is ${describe(command)}`,
    );
  }
  if (!Array.isArray(tlvs)) {
    throw new TypeError(`Cannot write a PROXY header as tlvs must be an array: current value is ${describe(tlvs)}`);
  }
  const source = checkAddress(header.source);
  const destination = checkAddress(header.destination);
  if (source?.transport !== destination?.transport) {
    const found = `${source?.transport} and ${destination?.transport}`;
    throw new TypeError(`Cannot write a PROXY header: source and destination must be of one transport: got ${found}`);
  }
  return { version, command, source, destination, tlvs: tlvs.map(checkTlv) };
}

function checkVersion(version: unknown): void {
  if (version === 1 || version === 2) return;
  const Problem = typeof version === "number" ? RangeError : TypeError;
  throw new Problem(`Cannot write a PROXY header as version must be 1 or 2: current value is ${describe(version)}`);
}

function checkAddress(address: ProxyHeader["source"]): ProxyHeader["source"] {
  if (address === undefined) return undefined;
  return address?.transport === "udp" ? checkDatagramAddress(address) : checkStreamAddress(address);
}

function checkTlv(tlv: ProxyTlv): ProxyTlv {
  const { type, value } = tlv ?? {};
  if (typeof type !== "number") {
    throw new TypeError(
      `Cannot write a PROXY header as the type of a TLV must be a number: current value is ${describe(type)}`,
    );
  }
  if (!Number.isInteger(type) || type < 0 || type > 255) {
    throw new RangeError(
      `Cannot write a PROXY header as the type of a TLV must be from 0 to 255: current value is ${type}`,
    );
  }
  const problem = bytesProblem(value);
  if (problem !== undefined) throw problem;
  return { type, value: type === crcType ? new Uint8Array(crcSize) : viewOf(value) };
}

/** Returns the bytes of a header of version 2. */
function blockOf({ command, source, destination, tlvs }: ProxyHeader): Uint8Array {
  const [family, addresses] = command === "local" || source === undefined || destination === undefined
    ? [0, []]
    : addressesOf(source, destination);
  const length = addresses.length + tlvs.reduce((sum, { value }) => sum + tlvHead + lengthOf(value), 0);
  if (length > maxBlock) {
    throw new RangeError(
      `Cannot write a PROXY header as its addresses and TLVs have ${length} bytes: at most ${maxBlock}`,
    );
  }
  const bytes = new Uint8Array(fixedSize + length);
  const view = new DataView(bytes.buffer);
  bytes.set(signature2);
  bytes.set([command === "local" ? localCommand : proxyCommand, family], signature2.length);
  view.setUint16(14, length);
  bytes.set(addresses, fixedSize);
  let at = fixedSize + addresses.length;
  let crcAt: number | undefined;
  for (const { type, value } of tlvs) {
    bytes[at] = type;
    view.setUint16(at + 1, value.length);
    at += tlvHead;
    bytes.set(value, at);
    if (type === crcType) {
      if (crcAt !== undefined) throw new TypeError("Cannot write a PROXY header with several CRC32C");
      crcAt = at;
    }
    at += value.length;
  }
  if (crcAt !== undefined) view.setUint32(crcAt, crc32c(bytes));
  return bytes;
}

type HeaderAddress = TcpAddress | UdpAddress | UnixAddress;

/** Returns the byte of the family and the bytes of two addresses of one transport. */
function addressesOf(source: HeaderAddress, destination: HeaderAddress): [family: number, addresses: number[]] {
  if (source.transport === "unix" || destination.transport === "unix") {
    return [families.unix.code << 4 | stream, [source, destination].flatMap((each) => pathBytes(each as UnixAddress))];
  }
  const is4 = source.ip.version === 4 && destination.ip.version === 4;
  const { code } = is4 ? families.ip4 : families.ip6;
  const both = [source, destination];
  return [code << 4 | (source.transport === "tcp" ? stream : datagram), [
    ...both.flatMap(({ ip }) => [...is4 ? ip.bytes : bytes6Of(ip)]),
    ...both.flatMap(({ port }) => [port >> 8, port & 0xff]),
  ]];
}

function pathBytes({ path }: UnixAddress): number[] {
  const { size } = families.unix;
  const bytes = encode(path);
  if (bytes.length > size) {
    throw new RangeError(`Cannot write a PROXY header as a Unix path has ${bytes.length} bytes: at most ${size}`);
  }
  return [...bytes, ...new Uint8Array(size - bytes.length)];
}
