// Copyright 2026 the Sluice authors. MIT license.

/** One question to a DNS server, and its reply: RFC 1035, with the records of RFC 3596 (AAAA) and RFC 2782 (SRV). */
import { IpAddress, type ServiceRecord } from "../../internal.ts";
import { type DnsName, NameReader } from "./_name.ts";

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

/** How many records of a reply are read. What follows them is ignored. */
const maxRecords = 500;

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

/** A record of the answer. What it says is read only where that was asked for. */
interface Answer {
  readonly owner: DnsName;
  readonly type: number;
  /** Where its data begins. */
  readonly data: number;
  /** How many bytes of data there are. */
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
    const [type, kind, size] = [view.getUint16(end), view.getUint16(end + 2), view.getUint16(end + 8)];
    const data = end + 10;
    at = data + size;
    if (at > view.byteLength) throw new RangeError("A record ends after its message");
    const isAlias = type === typeOfAlias;
    if (kind !== internet || (!isAlias && type !== types[query.type])) continue;
    if (isAlias && ++aliases > maxAliases) throw new RangeError("The aliases of a name have no end");
    answers.push({ owner: names.read(start), type, data, size });
  }
  const found = follow(answers, asked, types[query.type], names);
  return found.map(({ data, size }) => readValue(view, names, query.type, data, size));
}

/**
 * The records of a type for a name, or for what it is an alias of. It looks through all answers for each alias, of which
 * there are few: in a map of names a server could make all of them collide.
 */
function follow(answers: readonly Answer[], name: DnsName, type: number, names: NameReader): readonly Answer[] {
  for (let followed = 0;; followed++) {
    const own = answers.filter(({ owner }) => owner.equals(name));
    const found = own.filter((answer) => answer.type === type);
    if (found.length > 0 || own.length === 0) return found;
    if (followed === maxAliases) throw new RangeError("The aliases of a name have no end");
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
  if (size !== (type === "A" ? 4 : 16)) throw new RangeError(`An address has ${size} bytes`);
  return IpAddress.fromBytes(new Uint8Array(view.buffer, view.byteOffset + at, size));
}
