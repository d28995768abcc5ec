// Copyright 2026 the Sluice authors. MIT license.

import { describe, quoteText } from "../../base/internal.ts";
import { BufferLimitExceeded, type BufReader } from "../../flow/mod.ts";
import { hostAddress } from "../mod.ts";

/** The longest ClientHello, in bytes. With post-quantum key shares, it has about 2 KiB. */
export const maxHello: number = 32 * 1024;

/** Constants of RFC 8446, sections 4 and 5.1, and RFC 6066, section 3. */
const handshakeRecord = 22;
const clientHello = 1;
const recordHeader = 5;
const messageHeader = 4;
const serverNameExtension = 0;
const hostName = 0;

/** Characters of a URL, a port or brackets. */
const notOnlyName = /^$|[:/[\]@?#\s]/;

/**
 * Checks the server name that a client expects, and returns it without a trailing dot: neither SNI
 * (RFC 6066) nor a certificate has one.
 *
 * @throws {TypeError} If it is not a string.
 * @throws {SyntaxError} If it is neither a host name nor an IP address.
 */
export function checkServerName(name: unknown): string {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot start TLS as serverName must be a string: current value is ${describe(name)}`);
  }
  try {
    hostAddress(name, 0);
  } catch (cause) {
    const rule = notOnlyName.test(name)
      ? "it must be a name, not a URL; without a port or brackets"
      : (cause as Error).message.replace(/^Cannot/, "cannot");
    throw new SyntaxError(`Cannot start TLS with serverName ${quoteText(name)}: ${rule}`, { cause });
  }
  return withoutDot(name);
}

function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

/**
 * Waits for a ClientHello and returns its server name (SNI); `undefined` if it has none, or is
 * something else. The message stays in the reader.
 *
 * It is parsed here because `node:tls` calls its SNI callback only for sockets on Bun, and does not
 * await it on Deno.
 *
 * @throws {EndOfFlow} If the flow ends before.
 */
export async function readServerName(reader: BufReader): Promise<string | undefined> {
  try {
    const message = await readMessage(reader);
    return message === undefined ? undefined : findName(new Fields(message));
  } catch (error) {
    // The handshake reports what is wrong.
    if (error instanceof BufferLimitExceeded || error instanceof Malformed) return undefined;
    throw error;
  }
}

/** Returns the body of the first handshake message, joined from its records. */
async function readMessage(reader: BufReader): Promise<Uint8Array | undefined> {
  const body: number[] = [];
  let wanted = messageHeader;
  for (let at = 0; body.length < wanted;) {
    await reader.ensure(at + 1);
    if (reader.peek()[at] !== handshakeRecord) return undefined;
    await reader.ensure(at + recordHeader);
    const [, , , high, low] = reader.peek().subarray(at);
    const end = at + recordHeader + high * 256 + low;
    if (end === at + recordHeader) return undefined; // an empty record is not allowed
    await reader.ensure(end);
    body.push(...reader.peek().subarray(at + recordHeader, end));
    at = end;
    if (body[0] !== clientHello) return undefined;
    if (body.length >= messageHeader) wanted = messageHeader + body[1] * 65536 + body[2] * 256 + body[3];
    if (wanted > maxHello) return undefined;
  }
  return Uint8Array.from(body.slice(messageHeader, wanted));
}

function findName(hello: Fields): string | undefined {
  hello.skip(2 + 32); // version and random
  hello.skip(hello.number(1)); // session
  hello.skip(hello.number(2)); // cipher suites
  hello.skip(hello.number(1)); // compression
  if (hello.atEnd) return undefined;
  const extensions = hello.part(2);
  while (!extensions.atEnd) {
    const type = extensions.number(2);
    const extension = extensions.part(2);
    if (type !== serverNameExtension) continue;
    const names = extension.part(2);
    return names.number(1) === hostName ? checkName(names.part(2).text()) : undefined;
  }
  return undefined;
}

/**
 * Returns a valid host name without the trailing dot that some clients send. A server may use the
 * name as a key, even of files, so anything else is refused.
 */
function checkName(name: string): string {
  try {
    hostAddress(name, 0);
    return withoutDot(name).toLowerCase();
  } catch {
    throw new Malformed("The server name is not a valid host name");
  }
}

/** A field is truncated or invalid. */
class Malformed extends Error {}

/** A sequential reader of fields. */
class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  skip(size: number): Uint8Array {
    const start = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new Malformed("Cannot read beyond the end");
    return this.#bytes.subarray(start, this.#at);
  }

  number(size: 1 | 2): number {
    return this.skip(size).reduce((sum, byte) => sum * 256 + byte, 0);
  }

  /** Reads a field that is preceded by its size. */
  part(size: 1 | 2): Fields {
    return new Fields(this.skip(this.number(size)));
  }

  text(): string {
    return String.fromCharCode(...this.#bytes);
  }
}
