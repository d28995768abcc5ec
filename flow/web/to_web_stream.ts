// Copyright 2026 the Sluice authors. MIT license.

import {
  cancellableSource,
  checkSink,
  checkSource,
  Home,
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
 * A source as a web stream: a byte stream, for default readers and for readers that bring their own buffer.
 *
 * It reads only while somebody reads from it, so nothing is read ahead, and no buffer waits. Its reads are done in the
 * scope in which it was made: when that is cancelled, the next chunk is an error, a {@linkcode Cancelled}.
 *
 * Cancelling the stream stops the read that is under way and takes nothing more; neither that nor its end closes the
 * source. From a source that does not lend, up to 64 KiB that were being read are lost then.
 *
 * @param source Where the bytes come from. Nobody else reads it meanwhile.
 * @returns The stream. Its chunks are at most 64 KiB, in memory of their own.
 * @throws {TypeError} When `source` is no source.
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
  const home = new Home();
  const lender = lends(source) ? source : cancellableSource(source);
  let cancelled = false;
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const taken = await home.run(() =>
        lendOne(lender, (bytes) => {
          if (cancelled) return 0;
          const request = controller.byobRequest;
          const view = request?.view as Uint8Array | null | undefined;
          const size = Math.min(bytes.length, view?.length ?? writeLimit);
          const chunk = bytes.subarray(0, size);
          // Without a buffer of the reader's, it gets one that is no larger than needed.
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
      return home.stop(reason);
    },
  });
}

/**
 * A sink as a web stream. A chunk counts as written when the sink has taken all of it; the next one waits until then.
 *
 * Its writes are done in the scope in which it was made. When that is cancelled, the stream errors at once with the
 * {@linkcode Cancelled}; so while it is locked, it stays in memory for as long as that scope lives. It closes nothing:
 *
 * - closing it ends the sending direction of a {@linkcode TwoWay}, by `shutdown("send")`, and of a plain sink nothing;
 * - aborting it cancels the write that is under way, and ends nothing, lest the other side takes what it got for all.
 *
 * @param sink Where the bytes go. Nobody else writes to it meanwhile.
 * @returns The stream.
 * @throws {TypeError} When `sink` is no sink.
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
  const home = new Home();
  let breakStream = (_: unknown) => {};
  let forget = () => {};
  const sizes: number[] = []; // of the chunks that wait, whose memory may vanish meanwhile
  const perform = async (operation: () => Promise<void>) => {
    try {
      await home.run(operation);
    } catch (error) {
      forget(); // the stream errors, and nothing of it is called any more
      throw error;
    }
  };
  const stream = new WritableStream<Uint8Array>({
    start(controller) {
      breakStream = (reason) => controller.error(reason);
      // Not every runtime's types know of it.
      const { signal } = controller as WritableStreamDefaultController & { readonly signal: AbortSignal };
      signal.addEventListener("abort", () => home.stop(signal.reason), { once: true });
    },
    write: (chunk) => perform(() => writeChunk(sink, chunk, sizes.shift())),
    async close() {
      if (isTwoWay(sink)) await perform(() => sink.shutdown("send"));
      forget();
    },
    abort: () => forget(),
  }, {
    highWaterMark: 1,
    size(chunk) { // called when the chunk is written
      sizes.push(isBytes(chunk) ? lengthOf(chunk) : 0);
      return 1;
    },
  });
  forget = home.onCancelOf(stream, breakStream);
  return stream;
}

/** Writes all of a chunk that had a size when the stream was given it. */
async function writeChunk(sink: Sink, chunk: Uint8Array, size: number | undefined): Promise<void> {
  if (isBytes(chunk) && lengthOf(chunk) !== size) throw vanished("write");
  await writeAll(sink, chunk);
}

function isTwoWay(sink: Sink): sink is TwoWay {
  return typeof (sink as Partial<TwoWay>).shutdown === "function";
}
