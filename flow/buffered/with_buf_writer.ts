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
import { bufferOf, BufWriter } from "./buf_writer.ts";

/** Options for {@linkcode withBufWriter}. */
export interface WithBufWriterOptions {
  /**
   * The size of the first buffer, in bytes: a whole number of at least 1.
   *
   * @default {4096}
   */
  initialSize?: number | undefined;
}

/** How draining failed. */
interface Failure {
  readonly error: unknown;
  /** Whether the sink has not taken everything. */
  readonly lost: boolean;
  /** Whether the switch has failed with it. */
  readonly told: boolean;
}

/**
 * Runs `fn` with a writer, whose output a fiber beside it passes on to `sink`: what was written by the time `fn` waits for something goes out together, in
 * one write where the sink takes that much, and at once when somebody awaits {@linkcode BufWriter.flush}.
 *
 * When `fn` returns, the writer is closed and the rest goes out; when `fn` throws, likewise, and then what it threw is thrown. When the current scope is
 * cancelled, nothing more is written. When the sink fails, `fn` is cancelled, flushes that wait are a {@linkcode FlushAborted}, and what the sink threw is
 * thrown. Every flush has settled by the end. The sink is neither closed nor half-closed, and nobody else should write to it meanwhile.
 *
 * @typeParam T What `fn` gives.
 * @param sink Where to write.
 * @param fn Writes. What it writes without awaiting a flush now and then has no limit but memory.
 * @param options The size of the first buffer.
 * @returns What `fn` gave, once the sink has taken everything.
 * @throws {MultipleErrors} When `fn` throws, and then the sink fails. A single failure is thrown as it is.
 * @throws {TypeError} When `sink` is no sink or gives a count that cannot be, `fn` is not a function, or `initialSize` is no number.
 * @throws {RangeError} When `initialSize` is not a whole number of at least 1.
 * @throws {Cancelled} When the current scope is cancelled.
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

/** Runs `fn` and the draining beside it. */
function write<T>(sink: Sink, fn: (w: BufWriter) => T | Promise<T>, initialSize: number | undefined): Promise<T> {
  return Switch.run(async (sw) => {
    const writer = new BufWriter({ initialSize, sw });
    const buffer = bufferOf(writer);
    let failure: Failure | undefined;
    let thrown = false;
    const drained = sw.forkPromise(async () => {
      try {
        await drain(buffer, sink);
      } catch (cause) {
        const error = failureIn(currentScope(), cause);
        failure = { error, lost: buffer.pending > 0, told: !thrown && !isSwitchCancelled(sw) };
        if (failure.told) sw.fail(error); // before the flushes, so that those of `fn` are cancelled
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
        if (same && failure?.told) sw.check(); // it is told already: a text that is thrown twice would count twice
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

/** Whether an error of `fn` only says that the writer is gone, which the failure says better. */
function causedBy(failure: Failure | undefined, error: unknown): boolean {
  const ended = isInstance(error, FlushAborted) || isInstance(error, ClosedError);
  return failure !== undefined && ended && error.cause === failure.error;
}
