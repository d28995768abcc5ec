// Copyright 2026 the Sluice authors. MIT license.

/**
 * How the library calls sources and sinks that it may not have written: it looks at the current scope before each
 * operation, for they may not, and believes no count, so that a faulty one is an error and never an endless loop.
 */
import type { Stream } from "./_stream.ts";
import { describeData } from "../base/internal.ts";
import { refused } from "../switch/internal.ts";
import { isBytes, totalLength, unshared, viewOf } from "./_bytes.ts";

import { type Borrower, give, type GivingSink, lend, type LendingSource } from "./provider.ts";
import type { Sink, Source } from "./types.ts";

/**
 * Throws unless `source` has the shape of one. Checked once, by each function that is handed a source.
 *
 * @param action What cannot be done: "copy from".
 * @throws {TypeError} When it is no source. It says what makes one of a value that is often taken for one.
 */
export function checkSource(action: string, source: Source): void {
  // The `read` of a Node stream is another one, which would seem to be at the end.
  if (typeof source?.read === "function" && !("readableFlowing" in source)) return;
  throw new TypeError(`Cannot ${action} ${describeData(source)}: must be a source${sourceHint(source)}`);
}

/** The same for a sink: "copy to". */
export function checkSink(action: string, sink: Sink): void {
  if (typeof sink?.write === "function" && !("writableLength" in sink)) return;
  const hint = has(sink, "writableLength")
    ? ": wrap a Node stream in fromWritable"
    : has(sink, "getWriter")
    ? ": wrap a web stream in fromWritableStream"
    : "";
  throw new TypeError(`Cannot ${action} ${describeData(sink)}: must be a sink${hint}`);
}

/** Whether `source` has the fast path {@linkcode lend}. */
export function lends(source: Source): source is LendingSource {
  return typeof (source as Partial<LendingSource>)[lend] === "function";
}

/** Whether `sink` has the fast path {@linkcode give}. */
export function gives(sink: Sink): sink is GivingSink {
  return typeof (sink as Partial<GivingSink>)[give] === "function";
}

/** One read. The buffer is a view: the source need not be one that knows a true length. */
export async function readSome(source: Source, buffer: Uint8Array): Promise<number | null> {
  const refusal = refused();
  if (refusal !== undefined) return await refusal;
  const { length } = buffer; // now, for a source may detach what it fills
  const count = await source.read(buffer);
  return count === null ? null : checkCount("read", "source", count, length);
}

/** One loan, of one or more pieces. It may throw at once. */
export function lendSome(source: LendingSource, use: Borrower): Promise<number | null> {
  return lendWith(source, use, false);
}

/** The same for one piece. */
export function lendOne(
  source: LendingSource,
  use: (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => number,
): Promise<number | null> {
  return lendWith(source, use, true);
}

function lendWith(source: LendingSource, use: Borrower, once: boolean): Promise<number | null> {
  const refusal = refused();
  if (refusal !== undefined) return refusal;
  let total: number | undefined; // undefined before the first answer
  let more = true;
  const note = (taken: number) => {
    total = (total ?? 0) + taken;
    return taken;
  };
  const lending = source[lend]((bytes, keep) => {
    if (!more) throw new TypeError("Cannot read: the source lent more than the borrower asked for");
    const plain = lent(bytes);
    const { length } = plain; // now, for the borrower may pass the memory on
    more = false;
    const answer = use(plain, keep);
    if (typeof answer !== "number") return Promise.resolve(answer).then(note);
    more = answer === length && !once;
    return once ? Promise.resolve(note(answer)) : note(answer);
  });
  return Promise.resolve(lending).then((count) => {
    if (count === null ? total === undefined : count === total) return count;
    throw new TypeError(
      `Cannot read: the source lent ${describeData(count)} bytes where ${total ?? "none"} were taken`,
    );
  });
}

/** What a source has lent, as a plain array. */
function lent(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (isBytes(bytes)) return unshared(viewOf(bytes));
  throw new TypeError(`Cannot read: the source lent ${describeData(bytes)}: must be a Uint8Array`);
}

/** One write of a view. It may throw at once. */
export function writeSome(sink: Sink, bytes: Uint8Array): Promise<number> {
  const { length } = bytes; // now, for a stream may detach what it is given
  return refused() ??
    Promise.resolve(sink.write(bytes)).then((count) => checkCount("write", "sink", count, length));
}

/** One write of bytes whose memory the sink may keep. It may throw at once. */
export function giveSome(sink: Sink, bytes: Uint8Array): number | Promise<number> {
  return gives(sink) ? giveAll(sink, [bytes]) : writeSome(sink, bytes);
}

/** The same for memory that nothing else can reach, so that a socket need not copy it. */
export function giveOwned(sink: Sink, bytes: Uint8Array): number | Promise<number> {
  return streamOf(sink)?.giveOwned(bytes) ?? giveSome(sink, bytes);
}

/** One write of several buffers whose memory the sink may keep. It may throw at once. */
export function giveAll(sink: GivingSink, buffers: readonly Uint8Array[]): number | Promise<number> {
  const length = totalLength(buffers);
  const refusal = refused();
  if (refusal !== undefined) return refusal;
  const taken = sink[give](buffers);
  if (typeof taken === "number") return checkCount("write", "sink", taken, length);
  return Promise.resolve(taken).then((count) => checkCount("write", "sink", count, length));
}

function sourceHint(value: unknown): string {
  if (typeof value === "string") return ": wrap it in stringSource";
  if (isBytes(value)) return ": wrap it in bytesSource";
  if (has(value, "readableFlowing")) return ": wrap a Node stream in fromReadable";
  if (has(value, "getReader")) return ": wrap a web stream in fromReadableStream";
  if (value instanceof Blob) return ": wrap its stream() in fromReadableStream";
  if (has(value, Symbol.asyncIterator) || has(value, Symbol.iterator)) return ": wrap it in fromIterable";
  return "";
}

function has(value: unknown, key: PropertyKey): boolean {
  return typeof value === "object" && value !== null && key in value;
}

function checkCount(operation: string, who: string, count: unknown, limit: number): number {
  if (Number.isInteger(count) && count as number >= 1 && count as number <= limit) return count as number;
  throw new TypeError(
    `Cannot ${operation} as the ${who} must count from 1 to ${limit} bytes: it gave ${describeData(count)}`,
  );
}

/** Finds the stream under a flow of one class, by a private field: no other object can pass for one. */
type Finder = (flow: object) => Stream | undefined;

const finders: Finder[] = [];

/** Registers a class of flows that add nothing to the reads and writes of their stream. */
export function registerFlows(find: Finder): void {
  finders.push(find);
}

/** The stream under `flow`, if its class is registered. */
export function streamOf(flow: object): Stream | undefined {
  for (const find of finders) {
    const stream = find(flow);
    if (stream !== undefined) return stream;
  }
  return undefined;
}
