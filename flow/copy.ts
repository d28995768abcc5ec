// Copyright 2026 the Sluice authors. MIT license.

import { yieldNow } from "../switch/cancel.ts";
import { Cancelled } from "../switch/errors.ts";
import { giveSome, lends, lendSome, readSome, writeSome } from "./foreign.ts";
import { writeLimit } from "./stream_end.ts";
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
 * From a source that lends, as all of the library do, nothing is held in between: when the copy fails or is cancelled,
 * every byte that the sink has not taken is still in the source. From any other source up to 64 KiB are held, and lost
 * then. A foreign source or sink that cannot be cancelled is awaited.
 *
 * What it throws tells how much the sink took, as {@linkcode CopyFailure}: an error is given the property `copied`, and
 * a cancellation is a {@linkcode Cancelled} of its own.
 *
 * @param source Where the bytes come from.
 * @param sink Where they go.
 * @returns How many bytes were copied.
 * @throws {TypeError} When the source or the sink gives a count that cannot be.
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
export async function copy(source: Source, sink: Sink): Promise<number> {
  let copied = 0;
  let turns = 0;
  try {
    if (lends(source)) {
      const pass = async (bytes: Uint8Array, keep: boolean) => {
        const taken = await (keep ? giveSome(sink, bytes) : writeSome(sink, bytes));
        copied += taken;
        return taken;
      };
      while (await lendSome(source, pass) !== null) {
        if (++turns % turnsPerYield === 0) await yieldNow();
      }
    } else {
      const buffer = new Uint8Array(writeLimit);
      for (let count; (count = await readSome(source, buffer)) !== null;) {
        for (let done = 0; done < count;) {
          const taken = await writeSome(sink, buffer.subarray(done, count));
          done += taken;
          copied += taken;
          if (++turns % turnsPerYield === 0) await yieldNow();
        }
      }
    }
    return copied;
  } catch (error) {
    throw withCount(error, copied);
  }
}

/** Adds the count to what is thrown. The `Cancelled` of a scope is everybody's, so that is replaced. */
function withCount(error: unknown, copied: number): unknown {
  const own = error instanceof Cancelled ? new Cancelled(error.cause) : error;
  if (own instanceof Error) {
    Reflect.defineProperty(own, "copied", { value: copied, enumerable: true, writable: true, configurable: true });
  }
  return own;
}
