// Copyright 2026 the Sluice authors. MIT license.

import type { Sink, Source } from "../internal.ts";
import { controlledReadable, controlledWritable } from "./_controlled.ts";

/**
 * Makes a web stream of a source: a byte stream, for default and BYOB readers.
 *
 * It reads the source only on demand: nothing is read ahead, and an idle stream holds no buffer.
 * The reads run in the scope in which the stream was made: once that is cancelled, the next chunk
 * is an error, a {@linkcode Cancelled}.
 *
 * Cancelling the stream stops the read in progress and takes nothing more. Neither that nor the end
 * closes the source. From a source that does not lend, a cancel loses up to 64 KiB of the read in
 * progress.
 *
 * @param source The source to read from. No other code may read it meanwhile.
 * @returns The stream. Its chunks have at most 64 KiB, in their own memory.
 * @throws {TypeError} If `source` is not a `Source`.
 *
 * @example A source as the body of a response
 * ```ts
 * import { stringSource, toReadableStream } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const response = new Response(toReadableStream(stringSource("hello")));
 * assertEquals(await response.text(), "hello");
 * ```
 */
export function toReadableStream(source: Source): ReadableStream<Uint8Array<ArrayBuffer>> {
  return controlledReadable(source).stream;
}

/**
 * Makes a web stream of a sink. A chunk counts as written when the sink has taken all of it; the
 * next one waits until then.
 *
 * The writes run in the scope in which the stream was made. When that is cancelled, the stream
 * errors at once with the {@linkcode Cancelled}; therefore a locked stream stays in memory for as
 * long as that scope lives. The stream never closes the sink:
 *
 * - closing the stream shuts down sending of a {@linkcode TwoWay}, and has no effect on a plain
 *   sink;
 * - aborting the stream cancels the write in progress, and ends nothing, so that the peer does not
 *   mistake the truncated data for the whole.
 *
 * @param sink The sink to write to. No other code may write to it meanwhile.
 * @returns The stream.
 * @throws {TypeError} If `sink` is not a `Sink`.
 *
 * @example The end of a pipeline of web streams
 * ```ts
 * import { bufferSink, toWritableStream } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * await new Blob(["hello"]).stream().pipeTo(toWritableStream(sink));
 * assertEquals(sink.text(), "hello");
 * ```
 */
export function toWritableStream(sink: Sink): WritableStream<Uint8Array> {
  return controlledWritable(sink).stream;
}
