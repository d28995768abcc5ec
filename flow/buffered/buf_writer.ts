// Copyright 2026 the Sluice authors. MIT license.

import * as formats from "./_numbers.ts";
import { checkOptions, describe, freezeClass } from "../../base/internal.ts";
import { registerOwner, type ReleaseHook, type Switch } from "../../switch/internal.ts";
import { bytesProblem, copyTo, encode, encodeInto, lengthOf, operation, viewOf } from "../internal.ts";
import { countProblem, type NumberFormat } from "./_numbers.ts";
import { bytesOfPiece, WriteBuffer } from "./_write_buffer.ts";

const defaultSize = 4096;

/** The longest text, in units, that a loop writes faster than the encoder. */
const shortText = 32;

/** Options for {@linkcode BufWriter}. */
export interface BufWriterOptions {
  /**
   * The size of the first buffer, in bytes: a whole number of at least 1. The first write allocates
   * it. Later ones have the same size, or more if a write needs it.
   *
   * @default {4096}
   */
  initialSize?: number | undefined;
  /**
   * A switch that aborts the writer when it releases, unless the writer has been closed and drained
   * before.
   */
  sw?: Switch | undefined;
}

let bufferIn: (writer: BufWriter) => WriteBuffer;

/**
 * Collects output. Writing never waits: it adds to a buffer in memory, which
 * {@linkcode withBufWriter} drains to a sink. Without {@linkcode BufWriter.flush} being awaited now
 * and then, the buffer grows without a limit.
 *
 * Without `withBufWriter`, the consumer calls {@linkcode BufWriter.awaitBatch}, and then
 * {@linkcode BufWriter.shift} with the number of bytes that it has written.
 *
 * Source: Eio's `Buf_write`.
 *
 * @example A message
 * ```ts
 * import { bufferSink, withBufWriter } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const sink = bufferSink();
 * await withBufWriter(sink, (w) => {
 *   w.uint16be(5);
 *   w.string("hello");
 * });
 * assertEquals(sink.text(), "\x00\x05hello");
 * ```
 */
export class BufWriter {
  static {
    bufferIn = (writer) => writer.#out;
    freezeClass(this);
  }

  readonly #out: WriteBuffer;

  /**
   * Makes an empty writer.
   *
   * @param options The size of its first buffer, and the switch that aborts it.
   * @throws {RangeError} If `initialSize` is not a whole number of at least 1.
   * @throws {TypeError} If `initialSize` is not a number, or `sw` is not a `Switch`, or is
   * releasing or finished.
   * @throws {Cancelled} If `sw` has failed or was cancelled.
   *
   * @example What was written, in one batch
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter({ initialSize: 64 });
   * writer.byte(1);
   * writer.byte(2);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2)]);
   * ```
   */
  constructor(options?: BufWriterOptions) {
    checkOptions("make a BufWriter", options);
    const { initialSize = defaultSize, sw } = options ?? {};
    const problem = countProblem("initialSize", initialSize, 1);
    if (problem !== undefined) throw problem;
    let hook: ReleaseHook | undefined;
    this.#out = new WriteBuffer(initialSize, () => hook?.remove());
    if (sw !== undefined) {
      hook = registerOwner(sw, "make a BufWriter", { release: () => this.abort(), label: "BufWriter" });
    }
    Object.freeze(this);
  }

  /**
   * How many bytes were written and are not taken yet.
   *
   * @returns The count over all buffers.
   */
  get pendingBytes(): number {
    return this.#out.pending;
  }

  /**
   * How many bytes fit into the current buffer. A larger write makes a new one.
   *
   * @returns The rest of the buffer, in bytes.
   */
  get freeBytes(): number {
    return this.#out.free;
  }

  /**
   * Whether writing has ended, by {@linkcode BufWriter.close} or {@linkcode BufWriter.abort}.
   *
   * @returns Whether it has; bytes may be pending.
   */
  get closed(): boolean {
    return this.#out.closed;
  }

  /**
   * Writes a text, as UTF-8. A lone surrogate becomes U+FFFD.
   *
   * @param text The text.
   * @throws {TypeError} If `text` is not a string.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A text
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.string("grüß dich");
   * assertEquals(writer.pendingBytes, 11);
   * ```
   */
  string(text: string): void {
    if (typeof text !== "string") throw new TypeError(`Cannot write ${describe(text)}: must be a string`);
    const out = this.#out;
    const { memory, position } = out;
    const { length } = text;
    // A unit takes at least one byte, and encoding into the buffer is several times as fast as
    // allocating an array.
    if (memory.length - position >= length && !out.closed) {
      if (length <= shortText && writeAscii(text, memory, position)) return out.commit(length);
      const { read, written } = encodeInto(text, memory.subarray(position));
      if (read === length) return out.commit(written);
    }
    this.#copy(encode(text));
  }

  /**
   * Writes a copy of `bytes`, which may be changed afterwards.
   *
   * @param bytes The bytes.
   * @throws {TypeError} If `bytes` is not a `Uint8Array`.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example Bytes
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.bytes(Uint8Array.of(1, 2, 3));
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2, 3)]);
   * ```
   */
  bytes(bytes: Uint8Array): void {
    const problem = bytesProblem(bytes);
    if (problem !== undefined) throw problem;
    this.#copy(bytes);
  }

  /**
   * Writes one byte.
   *
   * @param value A whole number from 0 to 255.
   * @throws {RangeError} If it is another number; nothing is written then.
   * @throws {TypeError} If it is not a number.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A mark
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertThrows } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.byte(255);
   * assertThrows(() => writer.byte(256), RangeError, "must be a whole number from 0 to 255");
   * ```
   */
  byte(value: number): void {
    this.#number(formats.uint8, value);
  }

  /**
   * Writes a number from 0 to 255 as one byte.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is out of range, or not whole; nothing is written then.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.uint8(1);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1)]);
   * ```
   */
  uint8(value: number): void {
    this.#number(formats.uint8, value);
  }

  /**
   * Writes a whole number below 2 ** 16 as 2 bytes, big-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is out of range, or not whole; nothing is written then.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.uint16be(0x102);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2)]);
   * ```
   */
  uint16be(value: number): void {
    this.#number(formats.uint16be, value);
  }

  /**
   * Writes a whole number below 2 ** 16 as 2 bytes, little-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is out of range, or not whole; nothing is written then.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.uint16le(0x201);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2)]);
   * ```
   */
  uint16le(value: number): void {
    this.#number(formats.uint16le, value);
  }

  /**
   * Writes a whole number below 2 ** 32 as 4 bytes, big-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is out of range, or not whole; nothing is written then.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.uint32be(0x1020304);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2, 3, 4)]);
   * ```
   */
  uint32be(value: number): void {
    this.#number(formats.uint32be, value);
  }

  /**
   * Writes a whole number below 2 ** 32 as 4 bytes, little-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is out of range, or not whole; nothing is written then.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.uint32le(0x4030201);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2, 3, 4)]);
   * ```
   */
  uint32le(value: number): void {
    this.#number(formats.uint32le, value);
  }

  /**
   * Writes a whole number below 2 ** 48 as 6 bytes, big-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is out of range, or not whole; nothing is written then.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.uint48be(0x10203040506);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2, 3, 4, 5, 6)]);
   * ```
   */
  uint48be(value: number): void {
    this.#number(formats.uint48be, value);
  }

  /**
   * Writes a whole number below 2 ** 48 as 6 bytes, little-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is out of range, or not whole; nothing is written then.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.uint48le(0x60504030201);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2, 3, 4, 5, 6)]);
   * ```
   */
  uint48le(value: number): void {
    this.#number(formats.uint48le, value);
  }

  /**
   * Writes a whole number below 2 ** 64 as 8 bytes, big-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a bigint.
   * @throws {RangeError} If `value` is out of range; nothing is written then.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.uint64be(0x102030405060708n);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)]);
   * ```
   */
  uint64be(value: bigint): void {
    this.#number(formats.uint64be, value);
  }

  /**
   * Writes a whole number below 2 ** 64 as 8 bytes, little-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a bigint.
   * @throws {RangeError} If `value` is out of range; nothing is written then.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.uint64le(0x807060504030201n);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)]);
   * ```
   */
  uint64le(value: bigint): void {
    this.#number(formats.uint64le, value);
  }

  /**
   * Writes a floating point number as 4 bytes, big-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is finite and too large for 4 bytes.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.float32be(1);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(0x3f, 0x80, 0, 0)]);
   * ```
   */
  float32be(value: number): void {
    this.#number(formats.float32be, value);
  }

  /**
   * Writes a floating point number as 4 bytes, little-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {RangeError} If `value` is finite and too large for 4 bytes.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.float32le(1);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(0, 0, 0x80, 0x3f)]);
   * ```
   */
  float32le(value: number): void {
    this.#number(formats.float32le, value);
  }

  /**
   * Writes a floating point number as 8 bytes, big-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.float64be(1);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(0x3f, 0xf0, 0, 0, 0, 0, 0, 0)]);
   * ```
   */
  float64be(value: number): void {
    this.#number(formats.float64be, value);
  }

  /**
   * Writes a floating point number as 8 bytes, little-endian.
   *
   * @param value The number.
   * @throws {TypeError} If `value` is not a number.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A number
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.float64le(1);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf0, 0x3f)]);
   * ```
   */
  float64le(value: number): void {
    this.#number(formats.float64le, value);
  }

  /**
   * Adds `bytes` by reference, in order with what is written. They must not change until they were
   * flushed. Worth it for large ones only.
   *
   * @param bytes The bytes.
   * @throws {TypeError} If `bytes` is not a `Uint8Array`.
   * @throws {ClosedError} If the writer is closed.
   *
   * @example A large body that is not copied
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertStrictEquals } from "@std/assert";
   *
   * const body = new Uint8Array(100_000);
   * const writer = new BufWriter();
   * writer.string("head\n");
   * writer.schedule(body);
   * const batch = await writer.awaitBatch();
   * assertStrictEquals(batch?.[1].buffer, body.buffer);
   * ```
   */
  schedule(bytes: Uint8Array): void {
    const problem = bytesProblem(bytes);
    if (problem !== undefined) throw problem;
    this.#out.schedule(viewOf(bytes));
  }

  /**
   * Holds back output, so that it is sent together with what follows, until
   * {@linkcode BufWriter.unpause}, {@linkcode BufWriter.flush} or {@linkcode BufWriter.close}.
   * After a close it does nothing.
   *
   * @example One batch instead of two
   * ```ts
   * import { bufferSink, withBufWriter, yieldNow } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const sink = bufferSink();
   * await withBufWriter(sink, async (w) => {
   *   w.pause();
   *   w.string("length: ");
   *   await yieldNow();
   *   assertEquals(sink.text(), "");
   *   w.string("5");
   *   w.unpause();
   * });
   * assertEquals(sink.text(), "length: 5");
   * ```
   */
  pause(): void {
    this.#out.pause();
  }

  /**
   * Ends a {@linkcode BufWriter.pause}, if there is one.
   *
   * @example After a pause
   * ```ts
   * import { BufWriter } from "@sluice/io";
   *
   * const writer = new BufWriter();
   * writer.pause();
   * writer.unpause();
   * ```
   */
  unpause(): void {
    this.#out.unpause();
  }

  /**
   * Waits until the sink has taken everything that was written before. Ends a pause. Flushes settle
   * in order.
   *
   * A flush that is not awaited never causes an unhandled rejection.
   *
   * @throws {FlushAborted} If the writer is aborted, or its sink fails.
   * @throws {Cancelled} If the current scope is cancelled first. Pending output is still sent.
   *
   * @example Waiting for the sink before going on
   * ```ts
   * import { bufferSink, withBufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const sink = bufferSink();
   * await withBufWriter(sink, async (w) => {
   *   w.string("hello");
   *   await w.flush();
   *   assertEquals(sink.text(), "hello");
   * });
   * ```
   */
  flush(): Promise<void> {
    return this.#out.flush();
  }

  /**
   * Ends writing: a later write fails with {@linkcode ClosedError}. Pending output is still sent.
   * Ends a pause. A second close does nothing.
   *
   * @example The end of what is drained
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.close();
   * assertEquals(await writer.awaitBatch(), null);
   * ```
   */
  close(): void {
    this.#out.close();
  }

  /**
   * Ends writing, drops the pending output, and fails the waiting flushes with
   * {@linkcode FlushAborted}. Does nothing if everything was taken after a close. A write of the
   * sink that is in progress goes on, and its bytes may arrive.
   *
   * @example Giving up
   * ```ts
   * import { BufWriter, FlushAborted } from "@sluice/io";
   * import { assertRejects } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.string("hello");
   * const flushing = writer.flush();
   * writer.abort();
   * await assertRejects(() => flushing, FlushAborted);
   * ```
   */
  abort(): void {
    this.#out.abort();
  }

  /**
   * Waits until output is pending, and returns all of it. It stays pending until
   * {@linkcode BufWriter.shift} drops it: a second batch begins with what is left of the first.
   *
   * One call at a time, and not within {@linkcode withBufWriter}, which drains the writer itself.
   *
   * @returns The buffers in order, read-only, none of them empty; null once the writer is closed
   * and drained.
   * @throws {BusyError} If another call waits.
   * @throws {Cancelled} If the current scope is cancelled first.
   *
   * @example Draining by hand
   * ```ts
   * import { bufferSink, BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const sink = bufferSink();
   * const writer = new BufWriter();
   * writer.string("hello");
   * writer.close();
   * for (let batch; (batch = await writer.awaitBatch()) !== null;) {
   *   for (const bytes of batch) writer.shift(await sink.write(bytes));
   * }
   * assertEquals(sink.text(), "hello");
   * ```
   */
  awaitBatch(): Promise<Uint8Array[] | null> {
    return operation(async () => {
      while (await this.#out.ready(false)) {
        const batch = this.#out.pieces().map(bytesOfPiece);
        if (batch.length > 0) return batch; // otherwise aborted or shifted meanwhile
      }
      return null;
    });
  }

  /**
   * Drops the first pending bytes, which have been written. Their memory is reused. After
   * {@linkcode BufWriter.abort}, which drops all of them, it does nothing.
   *
   * @param size How many bytes.
   * @throws {RangeError} If it is more than {@linkcode BufWriter.pendingBytes}, or not a whole
   * number of at least 0.
   * @throws {TypeError} If it is not a number.
   *
   * @example A short write
   * ```ts
   * import { BufWriter } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = new BufWriter();
   * writer.bytes(Uint8Array.of(1, 2, 3));
   * writer.shift(2);
   * assertEquals(await writer.awaitBatch(), [Uint8Array.of(3)]);
   * ```
   */
  shift(size: number): void {
    const out = this.#out;
    const problem = countProblem("size", size, 0, out.aborted ? undefined : out.pending);
    if (problem !== undefined) throw problem;
    out.shift(size);
  }

  #copy(bytes: Uint8Array): void {
    const out = this.#out;
    const length = lengthOf(bytes);
    out.prepare(length);
    copyTo(out.memory, bytes, out.position);
    out.commit(length);
  }

  #number<T>(format: NumberFormat<T>, value: T): void {
    format.check(value);
    const out = this.#out;
    out.prepare(format.size);
    format.set(out.view, out.position, value);
    out.commit(format.size);
  }
}

/** Returns the buffer of `writer`, to drain it. */
export function writeBufferOf(writer: BufWriter): WriteBuffer {
  return bufferIn(writer);
}

/** Writes `text` if it is ASCII, and reports whether it is. */
function writeAscii(text: string, memory: Uint8Array, position: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return false;
    memory[position + i] = unit;
  }
  return true;
}
