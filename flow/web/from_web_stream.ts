// Copyright 2026 the Sluice authors. MIT license.

import {
  bytesProblem,
  checkMethods,
  type ClosableSink,
  closableSink,
  type ClosableSource,
  closableSource,
  Home,
  joined,
  noSource,
  onCancel,
  pulledStream,
  Stream,
  type StreamEnd,
  type StreamNames,
  writeLimit,
} from "../internal.ts";

/**
 * A web stream as a source. The stream stays locked.
 *
 * It asks for the next chunk when a read finds nothing left, in the scope in which it was made. A cancelled read loses
 * nothing: what was asked for goes to the next reader. An error of the stream is thrown by every later read.
 *
 * Closing the source cancels the stream; its end needs no closing.
 *
 * @param stream What to read.
 * @returns The source. It lends; what a byte stream gave may be kept.
 * @throws {TypeError} When `stream` is no readable stream, or is locked. A chunk that is no byte array fails the read.
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
  const home = new Home();
  // Only a byte stream gives its chunks away; another may have given one to somebody else too, as tee() does.
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
  const pulled = pulledStream(pull, { keep, retry: false });
  let closing: Promise<void> | undefined;
  const close = async () => {
    pulled.close();
    try {
      await home.call(() => reader.cancel());
    } catch (error) {
      if (!broken) throw error; // for a stream that was broken before has nothing to cancel, and says so
    }
  };
  return closableSource(pulled, () => closing ??= close());
}

/**
 * A web stream as a sink. The stream stays locked.
 *
 * A write waits until the stream is ready for more, and then gives it a copy of at most 64 KiB, for the stream keeps what
 * it gets, and may transfer the memory to others; so does `give`. The stream holds no more than its own strategy allows,
 * and one chunk. An error of the stream is thrown by every later write.
 *
 * Closing the sink closes the stream, and waits until it has taken care of everything. Aborting it waits for nothing: the
 * standard has the stream learn of that when the chunk it is at is done with, which may be never.
 *
 * @param stream Where the bytes go.
 * @returns The sink.
 * @throws {TypeError} When `stream` is no writable stream, or is locked.
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
  readonly flushed = true; // there is no shutdown that would ask
  readonly label = "sink";
  readonly stream: Stream;
  readonly #home: Home = new Home();
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #failure: { readonly error: unknown } | undefined;
  #told = false;
  #givenUp = false;
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
    this.#told = true;
    return cause;
  }

  write(bytes: Uint8Array): number {
    return this.give([bytes]);
  }

  give(buffers: readonly Uint8Array[]): number {
    if (!this.#free()) return 0;
    // A copy, even of what is given: the stream may transfer the memory, and other parts of it may be somebody else's.
    const chunk = joined(buffers, writeLimit);
    const size = chunk.length; // it is 0 once that has happened
    this.#home.call(() => this.#writer.write(chunk)).catch(ignore); // the stream is broken then, and says so
    return size;
  }

  end(): void {}

  /** Whether the stream wants more. If not, it is tried again when it does. */
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
    this.#giveUp(reason);
    this.#closing ??= Promise.resolve();
  }

  async #close(): Promise<void> {
    this.stream.close();
    const giveUp = (reason: unknown) => this.#giveUp(reason);
    const forget = [onCancel("close", giveUp), this.#home.onCancel("close", giveUp)];
    try {
      if (this.#givenUp) return;
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        this.#home.call(() => this.#writer.close()).then(resolve, reject);
      });
    } catch (error) {
      if (!this.#told && !this.#givenUp) throw error;
    } finally {
      forget.forEach((each) => each());
    }
  }

  #giveUp(reason: unknown): void {
    if (this.#givenUp) return;
    this.#givenUp = true;
    // Not awaited: it settles only when a write that is under way does.
    this.#home.call(() => this.#writer.abort(reason)).catch(ignore);
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
