// Copyright 2026 the Sluice authors. MIT license.

import { isInstance, isOfAnotherCopy } from "../base/internal.ts";
import { Cancelled, yieldNow } from "../switch/internal.ts";
import { vanished } from "./_bytes.ts";
import { checkSink, checkSource, giveSome, lends, lendSome, readSome, streamOf, writeSome } from "./_foreign.ts";
import { operation } from "./_operation.ts";
import { writeLimit } from "./_half.ts";
import type { Borrower, LendingSource } from "./provider.ts";
import type { Sink, Source } from "./types.ts";

/**
 * After so many turns a copy lets everything else run once: two ends that never wait would starve it, and the copy's
 * own cancellation with it.
 */
const turnsPerYield = 256;

/** What {@linkcode copy} adds to the error it throws. */
export interface CopyFailure {
  /** How many bytes the sink had taken. */
  copied: number;
}

/**
 * Copies up to the end of the source. It closes nothing, and ends no direction: {@linkcode proxy} passes the end on.
 *
 * From a source that lends, as all of the library do, the copy itself holds nothing: when it fails or is cancelled,
 * every byte that the sink has not taken is still in the source. From any other source it holds at most 64 KiB, and
 * loses them then. What the two ends hold is bounded by themselves: a pipe holds its capacity, a socket up to 64 KiB of
 * unread input and the piece that crosses that mark, and one piece of output, the one that the system has yet to take.
 *
 * Where the source lends its bytes as they come and the sink takes them at once, as two sockets do, no promise is made
 * for each piece. A foreign source or sink that cannot be cancelled is awaited.
 *
 * Two copies into one sink do not mix: where their writes do not meet, the pieces of one come between those of the
 * other, and where they do, one copy fails with a {@linkcode BusyError}.
 *
 * What it throws tells how much the sink took, as {@linkcode CopyFailure}: an error is given the property `copied`, and
 * a cancellation is a {@linkcode Cancelled} of its own. What is frozen, or no error object, is thrown as it is, without
 * the count.
 *
 * @param source Where the bytes come from.
 * @param sink Where they go.
 * @returns How many bytes were copied.
 * @throws {TypeError} When `source` is no source or `sink` no sink, or one of them gives a count that cannot be.
 * @throws {Cancelled} When the current scope is cancelled.
 *
 * @example From here to there
 * ```ts
 * import { bufferSink, copy, stringSource } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * assertEquals(await copy(stringSource("hello"), sink), 5);
 * assertEquals(sink.text(), "hello");
 * ```
 *
 * @example How far it came
 * ```ts
 * import { copy, type CopyFailure, nullFlow, stringSource } from "@sluice/io";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const broken = { write: () => Promise.reject(new Error("Cannot write")) };
 * const error = await assertRejects(() => copy(stringSource("hello"), broken), Error, "Cannot write");
 * assertEquals((error as Error & CopyFailure).copied, 0);
 * assertEquals(await copy(nullFlow, broken), 0);
 * ```
 */
export function copy(source: Source, sink: Sink): Promise<number> {
  return operation(() => counted(source, sink));
}

async function counted(source: Source, sink: Sink): Promise<number> {
  const progress: CopyFailure = { copied: 0 };
  try {
    checkSource("copy from", source);
    checkSink("copy to", sink);
    if (!lends(source)) await throughBuffer(source, sink, progress);
    else await lending(source, sink, progress);
    return progress.copied;
  } catch (error) {
    throw withCount(error, progress.copied);
  }
}

/** From a source that must be read: through a buffer of ours. */
async function throughBuffer(source: Source, sink: Sink, progress: CopyFailure): Promise<void> {
  let buffer = new Uint8Array(writeLimit);
  let turns = 0;
  for (let count; (count = await readSome(source, buffer)) !== null;) {
    for (let done = 0; done < count;) {
      if (buffer.length === 0) throw vanished("write");
      const taken = await writeSome(sink, buffer.subarray(done, count));
      done += taken;
      progress.copied += taken;
      if (++turns % turnsPerYield === 0) await yieldNow();
    }
    if (buffer.length === 0) buffer = new Uint8Array(writeLimit); // a sink may detach what it has taken
  }
}

/** From the source's own buffers, each of which the sink may take all or in part. */
async function lending(source: LendingSource, sink: Sink, progress: CopyFailure): Promise<void> {
  const note = (taken: number) => {
    progress.copied += taken;
    return taken;
  };
  const use: Borrower = (bytes, keep) => {
    const taken = keep ? giveSome(sink, bytes) : writeSome(sink, bytes);
    return typeof taken === "number" ? note(taken) : taken.then(note);
  };
  const from = streamOf(source);
  const to = streamOf(sink);
  const once = from !== undefined && to !== undefined ? () => from.lendTo(to, note) : () => lendSome(source, use);
  for (let turns = 1; await once() !== null; turns++) {
    if (turns % turnsPerYield === 0) await yieldNow();
  }
}

/** Adds the count to what is thrown. The `Cancelled` of a scope is everybody's, so that is replaced. */
function withCount(error: unknown, copied: number): unknown {
  const own = isInstance(error, Cancelled) ? new Cancelled(error.cause) : error;
  if (!isInstance(own, Error) || isOfAnotherCopy(own, Cancelled, "Cancelled")) return own;
  try {
    Reflect.defineProperty(own, "copied", { value: copied, enumerable: true, writable: true, configurable: true });
  } catch {
    // A proxy that refuses: it is thrown as it is.
  }
  return own;
}
