// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions, isInstance } from "../../base/internal.ts";
import {
  Cancelled,
  currentScope,
  failureIn,
  isSwitchCancelled,
  MultipleErrors,
  Switch,
} from "../../switch/internal.ts";
import { checkSink, ClosedError, FlushAborted, operation, type Sink } from "../internal.ts";
import { drain } from "./_drain.ts";
import { BufWriter, writeBufferOf } from "./buf_writer.ts";

/** Options for {@linkcode withBufWriter}. */
export interface WithBufWriterOptions {
  /**
   * The size of the first buffer, in bytes: a whole number of at least 1.
   *
   * @default {4096}
   */
  initialSize?: number | undefined;
}

/** The failure of draining. */
interface Failure {
  readonly error: unknown;
  /** Whether the sink has not taken everything. */
  readonly lost: boolean;
  /** Whether the switch has failed with it. */
  readonly isReported: boolean;
}

/**
 * Runs `fn` with a writer, which a concurrent fiber drains to `sink`. What was written by the time
 * `fn` waits is sent together, in one write if the sink takes that much, and at once when
 * {@linkcode BufWriter.flush} is called.
 *
 * When `fn` returns or throws, the writer is closed and the rest is sent; then an error of `fn` is
 * thrown. If the current scope is cancelled, nothing more is written. If the sink fails, `fn` is
 * cancelled, waiting flushes fail with {@linkcode FlushAborted}, and the sink's error is thrown.
 * Every flush has settled at the end. The sink is neither closed nor half-closed, and no other code
 * should write to it meanwhile.
 *
 * @typeParam T The result of `fn`.
 * @param sink The sink to write to.
 * @param fn Writes the output. Without awaiting a flush now and then, the buffer grows without a
 * limit.
 * @param options The size of the first buffer.
 * @returns The result of `fn`, once the sink has taken everything.
 * @throws {MultipleErrors} If `fn` throws, and then the sink fails. A single failure is thrown
 * unchanged.
 * @throws {TypeError} If `sink` is not a `Sink`, or returns an invalid byte count, `fn` is not a
 * function, or `initialSize` is not a number.
 * @throws {RangeError} If `initialSize` is not a whole number of at least 1.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example Many small writes, one large one
 * ```ts
 * import { type Sink, withBufWriter } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const sizes: number[] = [];
 * const sink: Sink = { write: (bytes) => (sizes.push(bytes.length), Promise.resolve(bytes.length)) };
 * await withBufWriter(sink, (w) => {
 *   for (let i = 0; i < 50; i++) w.string("line\n");
 * });
 * assertEquals(sizes, [250]);
 * ```
 */
export function withBufWriter<T>(
  sink: Sink,
  fn: (w: BufWriter) => T | Promise<T>,
  options?: WithBufWriterOptions,
): Promise<T> {
  return operation(async () => {
    checkFunction("write through a buffer", fn);
    checkSink("write to", sink);
    checkOptions("write through a buffer", options);
    return await write(sink, fn, options?.initialSize);
  });
}

/** Runs `fn`, and drains the writer concurrently. */
function write<T>(sink: Sink, fn: (w: BufWriter) => T | Promise<T>, initialSize: number | undefined): Promise<T> {
  return Switch.run(async (sw) => {
    const writer = new BufWriter({ initialSize, sw });
    const buffer = writeBufferOf(writer);
    let failure: Failure | undefined;
    let thrown = false;
    const drained = sw.forkPromise(async () => {
      try {
        await drain(buffer, sink);
      } catch (cause) {
        const error = failureIn(currentScope(), cause);
        failure = { error, lost: buffer.pending > 0, isReported: !thrown && !isSwitchCancelled(sw) };
        if (failure.isReported) sw.fail(error); // before the flushes, so that those of `fn` are cancelled
        buffer.abort(error);
      }
    });
    try {
      const value = await fn(writer);
      buffer.close();
      await drained;
      if (failure?.lost) throw failure.error;
      return value;
    } catch (error) {
      if (isSwitchCancelled(sw)) {
        const same = causedBy(failure, error) || Object.is(error, failure?.error);
        if (same && failure?.isReported) sw.check(); // reported already: a string thrown twice would count twice
        throw same ? failure?.error : error;
      }
      thrown = true;
      buffer.close();
      await drained;
      if (failure === undefined || isInstance(failure.error, Cancelled)) throw error;
      throw new MultipleErrors([error, failure.error]);
    }
  }, { name: "withBufWriter" });
}

/** Reports whether an error of `fn` is only a consequence of the failure. */
function causedBy(failure: Failure | undefined, error: unknown): boolean {
  const ended = isInstance(error, FlushAborted) || isInstance(error, ClosedError);
  return failure !== undefined && ended && error.cause === failure.error;
}
