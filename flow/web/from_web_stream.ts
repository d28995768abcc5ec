// Copyright 2026 the Sluice authors. MIT license.

import {
  BridgeScope,
  bytesProblem,
  checkMethods,
  type ClosableSink,
  closableSink,
  type ClosableSource,
  closableSource,
  joined,
  noSource,
  onCancel,
  pullStream,
  Stream,
  type StreamEnd,
  type StreamNames,
  writeLimit,
} from "../internal.ts";

/**
 * Makes a source of a web stream. The stream stays locked.
 *
 * The source asks for the next chunk when a read finds no bytes left, in the scope in which it was
 * made. A cancelled read loses nothing: the chunk stays for the next reader. An error of the stream
 * fails every later read.
 *
 * Closing the source cancels the stream. At the end of the stream no close is needed.
 *
 * @param stream The stream to read.
 * @returns The source. It lends; a borrower may keep the chunks of a byte stream.
 * @throws {TypeError} If `stream` is not a `ReadableStream`, or is locked. A chunk that is not a
 * `Uint8Array` fails the read.
 *
 * @example The body of a response
 * ```ts
 * import { fromReadableStream, readAll } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const { body } = new Response("hello");
 * if (body !== null) assertEquals((await readAll(fromReadableStream(body))).length, 5);
 * ```
 */
export function fromReadableStream(stream: ReadableStream<Uint8Array>): ClosableSource {
  checkMethods("make a source", stream, "a ReadableStream", "getReader");
  refuseLocked(stream, "source");
  const scope = new BridgeScope();
  // Only a byte stream transfers its chunks. Another may share them with other code, as tee() does.
  const keep = isByteStream(stream);
  const reader = stream.getReader();
  let broken = false;
  reader.closed.catch(() => broken = true);
  const pull = async () => {
    const { done, value } = await reader.read();
    if (done) return null;
    const problem = bytesProblem(value);
    if (problem !== undefined) throw problem;
    return value;
  };
  const pulled = pullStream(pull, { keep, retry: false });
  let closing: Promise<void> | undefined;
  const close = async () => {
    pulled.close();
    try {
      await scope.call(() => reader.cancel());
    } catch (error) {
      if (!broken) throw error; // the cancel of an errored stream rejects with its error
    }
  };
  return closableSource(pulled, () => closing ??= close());
}

/**
 * Makes a sink of a web stream. The stream stays locked.
 *
 * A write waits until the stream is ready for more, and then passes it a copy of at most 64 KiB:
 * the stream keeps its chunks, and may transfer their memory. `give` copies likewise. The stream
 * buffers what its own strategy allows, and one chunk. An error of the stream fails every later
 * write.
 *
 * Closing the sink closes the stream, and waits until it has processed every chunk. Aborting the
 * sink does not wait: by the standard, the stream processes an abort after its current chunk, which
 * may be never.
 *
 * @param stream The stream to write to.
 * @returns The sink.
 * @throws {TypeError} If `stream` is not a `WritableStream`, or is locked.
 *
 * @example Compressing
 * ```ts
 * import { copyString, fromReadableStream, fromWritableStream, readAll } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const { readable, writable } = new CompressionStream("gzip");
 * const sink = fromWritableStream(writable);
 * const compressed = readAll(fromReadableStream(readable));
 * await copyString("hello", sink);
 * await sink.close();
 * assertEquals((await compressed).subarray(0, 2), Uint8Array.of(0x1f, 0x8b));
 * ```
 */
export function fromWritableStream(stream: WritableStream<Uint8Array<ArrayBuffer>>): ClosableSink {
  checkMethods("make a sink", stream, "a WritableStream", "getWriter");
  refuseLocked(stream, "sink");
  const sink = new StreamSink(stream);
  return closableSink(sink.stream, { close: () => sink.close(), abort: (reason) => sink.abort(reason) });
}

/** The end of a stream that a {@linkcode fromWritableStream} writes to. */
class StreamSink implements StreamEnd, StreamNames {
  readonly peek = noSource.peek;
  readonly consume = noSource.consume;
  readonly drop = noSource.drop;
  readonly flushed = true; // nothing waits for it: the sink has no shutdown
  readonly label = "sink";
  readonly stream: Stream;
  readonly #scope: BridgeScope = new BridgeScope();
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #failure: { readonly error: unknown } | undefined;
  #isReported = false;
  #abandoned = false;
  #wake = () => {};
  #closing: Promise<void> | undefined;

  constructor(stream: WritableStream<Uint8Array<ArrayBuffer>>) {
    this.stream = new Stream(this, this);
    this.#writer = stream.getWriter();
    this.#writer.closed.catch((error) => {
      this.#failure = { error };
      this.stream.writable();
    });
  }

  failure(_: string, cause: unknown): unknown {
    this.#isReported = true;
    return cause;
  }

  write(bytes: Uint8Array): number {
    return this.give([bytes]);
  }

  give(buffers: readonly Uint8Array[]): number {
    if (!this.#free()) return 0;
    // Copy even what is given: the stream may transfer the memory, whose other parts may be in use
    // elsewhere.
    const chunk = joined(buffers, writeLimit);
    const size = chunk.length; // before the transfer, which makes it 0
    this.#scope.call(() => this.#writer.write(chunk)).catch(ignore); // the stream errors then, and `closed` reports it
    return size;
  }

  end(): void {}

  /** Reports whether the stream is ready for more. If not, the write is retried once it is. */
  #free(): boolean {
    if (this.#failure !== undefined) throw this.#failure.error;
    if ((this.#writer.desiredSize ?? 0) > 0) return true;
    this.#writer.ready.then(() => this.stream.writable(), ignore);
    return false;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  abort(reason?: unknown): void {
    this.stream.close();
    this.#abandon(reason);
    this.#closing ??= Promise.resolve();
  }

  async #close(): Promise<void> {
    this.stream.close();
    const abandon = (reason: unknown) => this.#abandon(reason);
    const forget = [onCancel("close", abandon), this.#scope.onCancel("close", abandon)];
    try {
      if (this.#abandoned) return;
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        this.#scope.call(() => this.#writer.close()).then(resolve, reject);
      });
    } catch (error) {
      if (!this.#isReported && !this.#abandoned) throw error;
    } finally {
      forget.forEach((each) => each());
    }
  }

  #abandon(reason: unknown): void {
    if (this.#abandoned) return;
    this.#abandoned = true;
    // Not awaited: it settles only when the write in progress does.
    this.#scope.call(() => this.#writer.abort(reason)).catch(ignore);
    this.#wake();
  }
}

function isByteStream(stream: ReadableStream<Uint8Array>): boolean {
  try {
    stream.getReader({ mode: "byob" }).releaseLock();
    return true;
  } catch {
    return false;
  }
}

function refuseLocked(stream: { readonly locked: boolean }, what: string): void {
  if (stream.locked) throw new TypeError(`Cannot make a ${what} of a stream that is locked`);
}

function ignore(): void {}
