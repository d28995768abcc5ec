// Copyright 2026 the Sluice authors. MIT license.

import { isInstance, isOfAnotherCopy } from "../base/internal.ts";
import { Cancelled, yieldNow } from "../switch/internal.ts";
import { vanished } from "./_bytes.ts";
import { checkSink, checkSource, giveSome, jointOf, lends, lendSome, noted, readSome, writeSome } from "./_foreign.ts";
import { operation } from "./_operation.ts";
import { writeLimit } from "./_half.ts";
import type { Borrower, LendingSource } from "./provider.ts";
import type { Sink, Source } from "./types.ts";

/**
 * After this many turns a copy yields to other tasks: two ends that never wait would starve them,
 * and the cancellation of the copy itself.
 */
const turnsPerYield = 256;

/** What {@linkcode copy} adds to the error it throws. */
export interface CopyFailure {
  /** How many bytes the sink had taken. */
  copied: number;
}

/**
 * Copies until the end of the source. It closes nothing, and shuts down neither direction:
 * {@linkcode proxy} passes the end on.
 *
 * From a source that lends, as all sources of the library do, the copy itself buffers nothing: if
 * it fails or is cancelled, every byte that the sink has not taken is still in the source. From any
 * other source it buffers at most 64 KiB, and loses them then. Each flow bounds its own buffers: a
 * pipe holds its capacity, a socket up to 64 KiB of unread input and the piece that crosses that
 * mark, and the one piece of output that the system has yet to take.
 *
 * If the source lends its bytes as they arrive and the sink takes them at once, as two sockets do,
 * no promise is made for each piece. A foreign source or sink that cannot be cancelled is awaited.
 *
 * Two copies into one sink do not mix within a write: either their pieces alternate, or, if their
 * writes overlap, one copy fails with a {@linkcode BusyError}.
 *
 * The error tells how much the sink took, as a {@linkcode CopyFailure}: an error gets the property
 * `copied`, and a cancellation becomes a {@linkcode Cancelled} of its own. A frozen error, or a
 * value that is not an error, is thrown unchanged, without the count.
 *
 * @param source The source to read from.
 * @param sink The sink to write to.
 * @returns How many bytes were copied.
 * @throws {TypeError} If `source` is not a `Source`, `sink` is not a `Sink`, or one of them returns
 * an invalid byte count.
 * @throws {Cancelled} If the current scope is cancelled.
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
  const progress: CopyFailure = { copied: 0 };
  return operation(() => begin(source, sink, progress), (error) => withCount(error, progress.copied));
}

/** Copies some bytes, or ends with null at the end of the source. */
type Turn = () => Promise<number | null>;

/** Takes the first turn, which is often the only one: an idle connection keeps no async frame. */
function begin(source: Source, sink: Sink, progress: CopyFailure): Promise<number> {
  try {
    checkSource("copy from", source);
    checkSink("copy to", sink);
    const turn = lends(source) ? lending(source, sink, progress) : throughBuffer(source, sink, progress);
    return turn().then((count) => count === null ? progress.copied : goOn(turn, progress));
  } catch (error) {
    return Promise.reject(error);
  }
}

async function goOn(turn: Turn, progress: CopyFailure): Promise<number> {
  for (let turns = 2; await turn() !== null; turns++) {
    if (turns % turnsPerYield === 0) await yieldNow();
  }
  return progress.copied;
}

/** Copies through a buffer of the library, from a source that does not lend. */
function throughBuffer(source: Source, sink: Sink, progress: CopyFailure): Turn {
  let buffer = new Uint8Array(writeLimit);
  let done = 0;
  let count = 0;
  return async () => {
    if (done === count) {
      if (buffer.length === 0) buffer = new Uint8Array(writeLimit); // the sink has detached it
      const read = await readSome(source, buffer);
      if (read === null) return null;
      count = read;
      done = 0;
    }
    if (buffer.length === 0) throw vanished("write");
    const taken = await writeSome(sink, buffer.subarray(done, count));
    done += taken;
    progress.copied += taken;
    return taken;
  };
}

/** Copies from the source's own buffers. The sink may take each in part. */
function lending(source: LendingSource, sink: Sink, progress: CopyFailure): Turn {
  const note = (taken: number) => {
    progress.copied += taken;
    return taken;
  };
  const from = jointOf(source);
  const to = jointOf(sink);
  if (from !== undefined && to !== undefined) return () => from.lendTo(to, note);
  const use: Borrower = (bytes, keep) => noted(keep ? giveSome(sink, bytes) : writeSome(sink, bytes), note);
  return () => lendSome(source, use);
}

/**
 * Adds the count to an error. A scope shares its `Cancelled` with all operations, so that one is
 * replaced.
 */
function withCount(error: unknown, copied: number): unknown {
  const own = isInstance(error, Cancelled) ? new Cancelled(error.cause) : error;
  if (!isInstance(own, Error) || isOfAnotherCopy(own, Cancelled, "Cancelled")) return own;
  try {
    Reflect.defineProperty(own, "copied", { value: copied, enumerable: true, writable: true, configurable: true });
  } catch {
    // A hostile proxy: it is thrown unchanged.
  }
  return own;
}
