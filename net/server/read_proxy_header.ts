// Copyright 2026 the Sluice authors. MIT license.

import { checkShape, isInstance } from "../../base/internal.ts";
import type { BufReader } from "../../flow/buffered/mod.ts";
import { EndOfFlow, operation, ParseError } from "../../flow/internal.ts";
import { parseBlockOf, parseFixed } from "./_proxy_block.ts";
import { datagram, fixedSize, maxLine, signature1, signature2 } from "./_proxy_format.ts";
import { type Fail, parseLine } from "./_proxy_line.ts";
import type { ProxyHeader } from "./proxy_header.ts";

const cr = 13;
const lf = 10;

/** A header that was read. */
export interface ReadHeader {
  readonly header: ProxyHeader;
  /** Whether it speaks of datagrams. */
  readonly isDatagram: boolean;
}

/**
 * Reads a header of the PROXY protocol, of version 1 or 2, and consumes exactly that: what follows
 * stays in the reader. `proxyProtocol` does this for each connection of a server.
 *
 * The header is read strictly: a line of version 1 has at most 107 bytes, single spaces and numbers
 * without leading zeros; the CRC32C of version 2 is checked where there is one. As the protocol
 * demands, whatever follows `UNKNOWN` in a line is ignored, and so are the addresses of a header
 * that is local or of an unspecified family; its TLVs are kept if they can be read. A header that
 * cannot become valid fails at once, without waiting for its end.
 *
 * An operation that fails or is cancelled consumes nothing.
 *
 * Source: haproxy's proxy-protocol.txt.
 *
 * @param reader A reader of the connection. A header of version 2 has up to 65551 bytes, which the
 * reader must be able to buffer.
 * @returns The header, frozen.
 * @throws {ParseError} If the header is missing, malformed or cut off.
 * @throws {BufferLimitExceeded} If the header is longer than the reader's `maxSize`.
 * @throws {BusyError} If an operation of the reader is in progress.
 * @throws {TypeError} If `reader` is not a reader.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example A header, and what follows it
 * ```ts
 * import { BufReader, tcp } from "@sluice/io";
 * import { readProxyHeader } from "@sluice/io/net/server";
 * import { assertEquals } from "@std/assert";
 *
 * const reader = BufReader.of("PROXY TCP4 192.0.2.1 192.0.2.9 50000 443\r\nhello");
 * const { source, destination } = await readProxyHeader(reader);
 * assertEquals([source, destination], [tcp("192.0.2.1", 50000), tcp("192.0.2.9", 443)]);
 * assertEquals(await reader.line(), "hello");
 * ```
 */
export function readProxyHeader(reader: BufReader): Promise<ProxyHeader> {
  return operation(async () => {
    checkShape("read a PROXY header", "reader", "a BufReader", reader, "ensure", "peek", "consume");
    return (await readHeader(reader)).header;
  });
}

/** Implements {@linkcode readProxyHeader}. */
export async function readHeader(reader: BufReader): Promise<ReadHeader> {
  const fail: Fail = (reason, at) => {
    throw problem(reader, reason, at);
  };
  const first = await bytesUntil(reader, 0);
  const signature = first[0] === signature1[0] ? signature1 : signature2;
  for (let at = 0; at < signature.length; at++) {
    const bytes = await bytesUntil(reader, at);
    if (bytes[at] !== signature[at]) fail("it is missing", at);
  }
  return signature === signature1 ? await readLine(reader, fail) : await readBlock(reader, fail);
}

async function readLine(reader: BufReader, fail: Fail): Promise<ReadHeader> {
  let at = signature1.length;
  for (;; at++) {
    if (at > maxLine - 2) fail(`it is longer than ${maxLine} bytes`, maxLine);
    const byte = (await bytesUntil(reader, at))[at];
    if (byte === cr) break;
    if (byte === lf) fail("its line does not end with CR LF", at);
  }
  const bytes = await bytesUntil(reader, at + 1);
  if (bytes[at + 1] !== lf) fail("its line does not end with CR LF", at + 1);
  const header = parseLine(String.fromCharCode(...bytes.subarray(0, at)), fail);
  reader.consume(at + 2);
  return { header: frozen(header), isDatagram: false };
}

async function readBlock(reader: BufReader, fail: Fail): Promise<ReadHeader> {
  const fixed = parseFixed(await bytesUntil(reader, fixedSize - 1), fail);
  const size = fixedSize + fixed.length;
  const bytes = await bytesUntil(reader, size - 1);
  const header = parseBlockOf(bytes.subarray(0, size), fixed, fail);
  reader.consume(size);
  return { header: frozen(header), isDatagram: fixed.kind === datagram };
}

/** Returns the buffered bytes, once the one at the offset `last` is among them. */
async function bytesUntil(reader: BufReader, last: number): Promise<Uint8Array<ArrayBuffer>> {
  if (last >= reader.buffered) {
    try {
      await reader.ensure(last + 1);
    } catch (error) {
      if (!isInstance(error, EndOfFlow)) throw error;
      throw problem(reader, "the flow ends before the header does", reader.buffered, error);
    }
  }
  return reader.peek();
}

function problem(reader: BufReader, reason: string, at: number, cause?: unknown): ParseError {
  return new ParseError(`Cannot read a PROXY header: ${reason}`, reader.consumed + at, cause);
}

function frozen(header: ProxyHeader): ProxyHeader {
  Object.freeze(header.tlvs);
  return Object.freeze(header);
}
