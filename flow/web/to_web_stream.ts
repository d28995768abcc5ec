// Copyright 2026 the Sluice authors. MIT license.

import {
  BridgeScope,
  cancellableSource,
  checkSink,
  checkSource,
  isBytes,
  lendOne,
  lends,
  lengthOf,
  type Sink,
  type Source,
  type TwoWay,
  vanished,
  writeAll,
  writeLimit,
} from "../internal.ts";

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
  checkSource("make a stream of", source);
  const scope = new BridgeScope();
  const lender = lends(source) ? source : cancellableSource(source);
  let cancelled = false;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const taken = await scope.run(() =>
        lendOne(lender, (bytes) => {
          if (cancelled) return 0;
          const request = controller.byobRequest;
          const view = request?.view as Uint8Array | null | undefined;
          const size = Math.min(bytes.length, view?.length ?? writeLimit);
          const chunk = bytes.subarray(0, size);
          // A default reader gets a buffer of exactly the size of the chunk.
          if (view === null || view === undefined) controller.enqueue(new Uint8Array(chunk));
          else {
            view.set(chunk);
            request?.respond(size);
          }
          return size;
        })
      );
      if (taken !== null || cancelled) return;
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel(reason) {
      cancelled = true;
      return scope.stop(reason);
    },
  });
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
  checkSink("make a stream of", sink);
  const scope = new BridgeScope();
  let errorStream = (_: unknown) => {};
  let forget = () => {};
  const sizes: number[] = []; // of the queued chunks, whose memory may vanish meanwhile
  const perform = async (operation: () => Promise<void>) => {
    try {
      await scope.run(operation);
    } catch (error) {
      forget(); // the stream errors, and calls no other method
      throw error;
    }
  };
  const stream = new WritableStream<Uint8Array>({
    start(controller) {
      errorStream = (reason) => controller.error(reason);
      // Some runtimes' types lack it.
      const { signal } = controller as WritableStreamDefaultController & { readonly signal: AbortSignal };
      signal.addEventListener("abort", () => scope.stop(signal.reason), { once: true });
    },
    write: (chunk) => perform(() => writeChunk(sink, chunk, sizes.shift())),
    async close() {
      if (isTwoWay(sink)) await perform(() => sink.shutdown("send"));
      forget();
    },
    abort: () => forget(),
  }, {
    highWaterMark: 1,
    size(chunk) { // called when the chunk is queued
      sizes.push(isBytes(chunk) ? lengthOf(chunk) : 0);
      return 1;
    },
  });
  forget = scope.onCancelOf(stream, errorStream);
  return stream;
}

/** Writes all of a chunk, whose size was recorded when it was queued. */
async function writeChunk(sink: Sink, chunk: Uint8Array, size: number | undefined): Promise<void> {
  if (isBytes(chunk) && lengthOf(chunk) !== size) throw vanished("write");
  await writeAll(sink, chunk);
}

function isTwoWay(sink: Sink): sink is TwoWay {
  return typeof (sink as Partial<TwoWay>).shutdown === "function";
}
