// Copyright 2026 the Sluice authors. MIT license.

/** One question to a DNS server, and its reply: RFC 1035, with the records of RFC 3596 (AAAA) and RFC 2782 (SRV). */

import { IpAddress } from "./ip_address.ts";
import type { ServiceRecord } from "./types.ts";

/** What a record of each type says. */
export interface RecordValues {
  A: IpAddress;
  AAAA: IpAddress;
  PTR: string;
  SRV: ServiceRecord;
}

/** A type of record. */
export type RecordType = keyof RecordValues;

/** A question, as it was asked. */
export interface DnsQuery<R extends RecordType> {
  readonly name: string;
  readonly type: R;
  /** The message. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A reply. */
export interface DnsReply<R extends RecordType> {
  /** RFC 1035, section 4.1.1: 0 is no error, 3 no such name. */
  readonly code: number;
  /** It did not fit, and is to be asked for over TCP. */
  readonly truncated: boolean;
  /** What the records of that type say about the name, or about the one that it is an alias of. */
  readonly values: readonly RecordValues[R][];
}

const types: Readonly<Record<RecordType, number>> = { A: 1, PTR: 12, AAAA: 28, SRV: 33 };
const typeOfAlias = 5;
const internet = 1;
const headerSize = 12;
const maxAliases = 16;

/**
 * Writes a question.
 *
 * @param id What the reply must repeat: nobody may be able to guess it.
 * @param name A name of letters, digits, `-` and `_`; a dot may end it.
 * @param type What is asked for.
 */
export function encodeQuery<R extends RecordType>(id: number, name: string, type: R): DnsQuery<R> {
  const bare = name.toLowerCase().replace(/\.$/, "");
  const labels = bare.split(".").map((label) => [label.length, ...new TextEncoder().encode(label)]);
  const header = [id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]; // recursion is wanted; one question
  return { name: bare, type, bytes: Uint8Array.from([...header, ...labels.flat(), 0, 0, types[type], 0, internet]) };
}

/**
 * Reads a reply.
 *
 * @returns The reply, `undefined` when the message is none to this question.
 * @throws {RangeError} When it is one, and does not hold together.
 */
export function decodeReply<R extends RecordType>(message: Uint8Array, query: DnsQuery<R>): DnsReply<R> | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (view.byteLength < headerSize || view.getUint16(0) !== new DataView(query.bytes.buffer).getUint16(0)) {
    return undefined;
  }
  const flags = view.getUint16(2);
  if (flags >> 11 !== 0x10) return undefined; // no response, or not to a plain question
  const code = flags & 15;
  const truncated = (flags & 0x200) !== 0;
  const questions = view.getUint16(4);
  if (questions === 0 && code !== 0) return { code, truncated, values: [] }; // the server did not understand a word
  if (questions !== 1 || !sameQuestion(message, query.bytes)) return undefined;
  return { code, truncated, values: truncated ? [] : readAnswers(view, query) };
}

/** Whether a reply repeats the question; the case of letters is the server's. */
function sameQuestion(message: Uint8Array, query: Uint8Array): boolean {
  const lower = (byte: number) => byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
  return query.every((byte, i) => i < headerSize || lower(message[i] ?? -1) === byte);
}

function readAnswers<R extends RecordType>(view: DataView, query: DnsQuery<R>): readonly RecordValues[R][] {
  const found = new Map<string, RecordValues[R][]>();
  const aliases = new Map<string, string>();
  let at = query.bytes.length;
  for (let left = view.getUint16(6); left > 0; left--) {
    const owner = readName(view, at);
    const [type, kind, size] = [
      view.getUint16(owner.end),
      view.getUint16(owner.end + 2),
      view.getUint16(owner.end + 8),
    ];
    const data = owner.end + 10;
    at = data + size;
    if (at > view.byteLength) throw new RangeError("A record ends after its message");
    if (kind !== internet) continue;
    const name = owner.name.toLowerCase();
    if (type === typeOfAlias) aliases.set(name, readName(view, data).name.toLowerCase());
    if (type === types[query.type]) {
      found.set(name, [...found.get(name) ?? [], readValue(view, query.type, data, size)]);
    }
  }
  let { name } = query;
  for (let i = 0; !found.has(name) && aliases.has(name); i++) {
    if (i === maxAliases) throw new RangeError("The aliases of a name have no end");
    name = aliases.get(name) as string;
  }
  return found.get(name) ?? [];
}

function readValue<R extends RecordType>(view: DataView, type: R, at: number, size: number): RecordValues[R];
function readValue(view: DataView, type: RecordType, at: number, size: number): RecordValues[RecordType] {
  if (type === "PTR") return readName(view, at).name;
  if (type === "SRV") {
    const [priority, weight, port] = [view.getUint16(at), view.getUint16(at + 2), view.getUint16(at + 4)];
    return { name: readName(view, at + 6).name, port, priority, weight };
  }
  if (size !== (type === "A" ? 4 : 16)) throw new RangeError(`An address has ${size} bytes`);
  return IpAddress.fromBytes(new Uint8Array(view.buffer, view.byteOffset + at, size));
}

/** Reads a name at `start`. Its pointers may only lead backwards, each further than the one before, so it has an end. */
function readName(view: DataView, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let end: number | undefined;
  let size = 0;
  for (let at = start, limit = start;;) {
    const length = view.getUint8(at);
    if (length === 0) return { name: labels.join("."), end: end ?? at + 1 };
    if (length >= 0xc0) {
      end ??= at + 2;
      at = view.getUint16(at) & 0x3fff;
      if (at >= limit) throw new RangeError("A name points forwards");
      limit = at;
      continue;
    }
    size += length + 1;
    if (length > 63 || size > 254) throw new RangeError("A name is too long");
    const bytes = Array.from({ length }, (_, i) => view.getUint8(at + 1 + i));
    labels.push(String.fromCharCode(...bytes).replaceAll(".", "\\.")); // a dot in a label parts no labels
    at += length + 1;
  }
}
