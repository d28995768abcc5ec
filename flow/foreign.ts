// Copyright 2026 the Sluice authors. MIT license.

/**
 * How the library calls sources and sinks that it may not have written: it looks at the current scope before each
 * operation, for they may not, and believes no count, so that a faulty one is an error and never an endless loop.
 */

import { refused } from "../switch/scope.ts";
import { totalLength } from "./bytes.ts";
import { type Borrower, give, type GivingSink, lend, type LendingSource, type Sink, type Source } from "./types.ts";

/** Whether `source` has the fast path {@linkcode lend}. */
export function lends(source: Source): source is LendingSource {
  return typeof (source as Partial<LendingSource>)[lend] === "function";
}

/** Whether `sink` has the fast path {@linkcode give}. */
export function gives(sink: Sink): sink is GivingSink {
  return typeof (sink as Partial<GivingSink>)[give] === "function";
}

/** One read. */
export async function readSome(source: Source, buffer: Uint8Array): Promise<number | null> {
  const refusal = refused();
  if (refusal !== undefined) return await refusal;
  const count = await source.read(buffer);
  return count === null ? null : checkCount("read", "source", count, buffer.length);
}

/** One loan. */
export async function lendSome(source: LendingSource, use: Borrower): Promise<number | null> {
  const refusal = refused();
  if (refusal !== undefined) return await refusal;
  let taken: number | undefined;
  const count = await source[lend](async (bytes, keep) => taken = await use(bytes, keep));
  if (count === null || count === taken) return count;
  throw new TypeError(`Cannot read: the source lent ${String(count)} bytes where ${taken ?? "none"} were taken`);
}

/** One write. */
export async function writeSome(sink: Sink, bytes: Uint8Array): Promise<number> {
  const refusal = refused();
  if (refusal !== undefined) return await refusal;
  return checkCount("write", "sink", await sink.write(bytes), bytes.length);
}

/** One write of bytes whose memory the sink may keep. */
export async function giveSome(sink: Sink, bytes: Uint8Array): Promise<number> {
  return await (gives(sink) ? giveAll(sink, [bytes]) : writeSome(sink, bytes));
}

/** One write of several buffers whose memory the sink may keep. */
export async function giveAll(sink: GivingSink, buffers: readonly Uint8Array[]): Promise<number> {
  const refusal = refused();
  if (refusal !== undefined) return await refusal;
  return checkCount("write", "sink", await sink[give](buffers), totalLength(buffers));
}

function checkCount(operation: string, who: string, count: unknown, limit: number): number {
  if (Number.isInteger(count) && count as number >= 1 && count as number <= limit) return count as number;
  throw new TypeError(
    `Cannot ${operation} as the ${who} must count from 1 to ${limit} bytes: it gave ${String(count)}`,
  );
}
