// Copyright 2026 the Sluice authors. MIT license.

/**
 * DNS messages with one question, RFC 1035: queries, and replies with the records of RFC 3596
 * (AAAA) and RFC 2782 (SRV).
 */
import { IpAddress, type ServiceRecord } from "../../internal.ts";
import { type DnsName, NameReader } from "./_name.ts";

/** The value of a record of each type. */
export interface RecordValues {
  A: IpAddress;
  AAAA: IpAddress;
  PTR: string;
  SRV: ServiceRecord;
}

/** A record type. */
export type RecordType = keyof RecordValues;

/** An encoded query. */
export interface DnsQuery<R extends RecordType> {
  readonly name: string;
  readonly type: R;
  /** The message. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A reply. */
export interface DnsReply<R extends RecordType> {
  /** The response code (RFC 1035, section 4.1.1): 0 is success, 3 NXDOMAIN. */
  readonly code: number;
  /** Whether the reply did not fit, so that the query must be repeated over TCP. */
  readonly truncated: boolean;
  /** The records of the queried type for the name, or for the name that it is an alias of. */
  readonly values: readonly RecordValues[R][];
}

const types: Readonly<Record<RecordType, number>> = { A: 1, PTR: 12, AAAA: 28, SRV: 33 };
const cnameType = 5;
const internetClass = 1;
const headerSize = 12;
const maxAliases = 16;

/** The most records of a reply that are read; further ones are ignored. */
const maxRecords = 500;

/**
 * Encodes a query.
 *
 * @param id The ID that the reply must repeat. It must be unpredictable.
 * @param name A name of letters, digits, `-` and `_`, with or without a final dot.
 * @param type The record type.
 */
export function encodeQuery<R extends RecordType>(id: number, name: string, type: R): DnsQuery<R> {
  const bare = name.toLowerCase().replace(/\.$/, "");
  const labels = bare.split(".").map((label) => [label.length, ...new TextEncoder().encode(label)]);
  // Flags: recursion desired; one question.
  const header = [id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  return {
    name: bare,
    type,
    bytes: Uint8Array.from([...header, ...labels.flat(), 0, 0, types[type], 0, internetClass]),
  };
}

/**
 * Decodes a reply.
 *
 * @returns The reply, or `undefined` if the message is not a reply to this query.
 * @throws {RangeError} If it is a reply but malformed.
 */
export function decodeReply<R extends RecordType>(message: Uint8Array, query: DnsQuery<R>): DnsReply<R> | undefined {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (view.byteLength < headerSize || view.getUint16(0) !== new DataView(query.bytes.buffer).getUint16(0)) {
    return undefined;
  }
  const flags = view.getUint16(2);
  if (flags >> 11 !== 0x10) return undefined; // not a response to a standard query
  const code = flags & 15;
  const truncated = (flags & 0x200) !== 0;
  const questions = view.getUint16(4);
  // Without a question: the server could not parse the query.
  if (questions === 0 && code !== 0) return { code, truncated, values: [] };
  if (questions !== 1 || !sameQuestion(message, query.bytes)) return undefined;
  return { code, truncated, values: truncated ? [] : readAnswers(view, query) };
}

/** Reports whether a reply repeats the question. The server may change the case of letters. */
function sameQuestion(message: Uint8Array, query: Uint8Array): boolean {
  const lower = (byte: number) => byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
  return query.every((byte, i) => i < headerSize || lower(message[i] ?? -1) === byte);
}

/** A record of the answer section. Its data is decoded only if needed. */
interface Answer {
  readonly owner: DnsName;
  readonly type: number;
  /** The offset of its data. */
  readonly data: number;
  /** The size of its data in bytes. */
  readonly size: number;
}

function readAnswers<R extends RecordType>(view: DataView, query: DnsQuery<R>): readonly RecordValues[R][] {
  const names = new NameReader(view);
  const asked = names.read(headerSize);
  const answers: Answer[] = [];
  let aliases = 0;
  let at = query.bytes.length;
  for (let left = Math.min(view.getUint16(6), maxRecords); left > 0; left--) {
    const start = at;
    names.skip(start);
    const { end } = names;
    const [type, recordClass, size] = [view.getUint16(end), view.getUint16(end + 2), view.getUint16(end + 8)];
    const data = end + 10;
    at = data + size;
    if (at > view.byteLength) throw new RangeError("A record ends after its message");
    const isAlias = type === cnameType;
    if (recordClass !== internetClass || (!isAlias && type !== types[query.type])) continue;
    if (isAlias && ++aliases > maxAliases) throw new RangeError("A name has too many aliases");
    answers.push({ owner: names.read(start), type, data, size });
  }
  const found = follow(answers, asked, types[query.type], names);
  return found.map(({ data, size }) => readValue(view, names, query.type, data, size));
}

/**
 * Returns the records of a type for a name, following aliases. It scans all answers for each of the
 * few aliases: a server could make every key of a hash map collide.
 */
function follow(answers: readonly Answer[], name: DnsName, type: number, names: NameReader): readonly Answer[] {
  for (let followed = 0;; followed++) {
    const own = answers.filter(({ owner }) => owner.equals(name));
    const found = own.filter((answer) => answer.type === type);
    if (found.length > 0 || own.length === 0) return found;
    if (followed === maxAliases) throw new RangeError("A name has too many aliases");
    name = names.read(own[own.length - 1].data);
  }
}

function readValue<R extends RecordType>(
  view: DataView,
  names: NameReader,
  type: R,
  at: number,
  size: number,
): RecordValues[R];
function readValue(
  view: DataView,
  names: NameReader,
  type: RecordType,
  at: number,
  size: number,
): RecordValues[RecordType] {
  if (type === "PTR") return names.read(at).text;
  if (type === "SRV") {
    const [priority, weight, port] = [view.getUint16(at), view.getUint16(at + 2), view.getUint16(at + 4)];
    return { name: names.read(at + 6).text, port, priority, weight };
  }
  if (size !== (type === "A" ? 4 : 16)) throw new RangeError(`An address record has ${size} bytes`);
  return IpAddress.fromBytes(new Uint8Array(view.buffer, view.byteOffset + at, size));
}
