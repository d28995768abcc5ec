// Copyright 2026 the Sluice authors. MIT license.

import * as formats from "./_numbers.ts";
import { checkOptions, describe, freezeClass, quoteText } from "../../base/internal.ts";
import { bytesProblem, checkBuffer, checkSink, checkSource, decode, describeByte, encode } from "../internal.ts";
import { label, labelOf, lend, type LendingSource, nullFlow, ParseError, type Source } from "../internal.ts";
import { type TwoWay, unshared, viewOf } from "../internal.ts";
import { LineSplitter } from "./_line_splitter.ts";
import { countProblem, type NumberFormat } from "./_numbers.ts";
import { more, ReadBuffer } from "./_read_buffer.ts";
import { unreadTo } from "./_unread.ts";

const defaultMaxSize = 1024 * 1024;
const defaultSize = 4096;
const aLine = "a line";
const finished: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Options for {@linkcode BufReader}. */
export interface BufReaderOptions {
  /**
   * The most that is buffered, in bytes: a whole number of at least 1. Data that must be buffered
   * as a whole, such as a line with its end, fails with `BufferLimitExceeded` if it is longer. An
   * operation that must see the end, or a byte that does not match, needs room for one more byte: a
   * last line without an end, and the results of `takeAll` and `takeWhile`, have at most
   * `maxSize - 1` bytes.
   *
   * @default {1048576}
   */
  maxSize?: number | undefined;
  /**
   * The first allocation, in bytes, to read from a source that does not lend: a whole number of at
   * least 1, limited to `maxSize`. The buffer grows by doubling on demand.
   *
   * @default {4096}
   */
  initialSize?: number | undefined;
}

/**
 * Reads lines, numbers and other structured data from a source, through a buffer.
 *
 * It reads only on demand. An operation that fails or is cancelled has consumed nothing, unless
 * noted otherwise, and buffered bytes stay readable. Operations run one at a time: a second one
 * fails with {@linkcode BusyError}. A cancelled scope refuses all; a waiting one is cancelled with
 * its scope if the source supports that (a foreign source is awaited: see
 * {@linkcode cancellableSource}). Once the source has ended it is not touched any more.
 *
 * From a source that lends, as all sources of the library do, it takes buffers over instead of
 * copying them, and holds none while it waits empty. It closes nothing, and
 * {@linkcode BufReader.asSource} reads what it has buffered.
 *
 * Source: Eio's `Buf_read`.
 *
 * @example A head and a body
 * ```ts
 * import { BufReader, stringSource } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const reader = new BufReader(stringSource("size 5\r\n\r\nhello"), { maxSize: 1024 });
 * assertEquals(await reader.line(), "size 5");
 * assertEquals(await reader.line(), "");
 * assertEquals(new TextDecoder().decode(await reader.take(5)), "hello");
 * ```
 */
export class BufReader {
  static {
    freezeClass(this);
  }

  readonly #in: ReadBuffer;
  /** Made when the first line is read, because many readers read no lines. */
  #splitter: LineSplitter | undefined;

  /**
   * Makes a reader. It reads nothing yet.
   *
   * @param source The source to read from. No other code should read from it, because bytes
   * buffered here are gone there.
   * @param options How much may be buffered.
   * @throws {TypeError} If `source` is not a source, or a size is not a number.
   * @throws {RangeError} If a size is not a whole number of at least 1.
   *
   * @example Lines of at most 64 KiB
   * ```ts
   * import { BufReader, stringSource } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = new BufReader(stringSource("one\ntwo"), { maxSize: 64 * 1024 });
   * assertEquals(await reader.line(), "one");
   * ```
   */
  constructor(source: Source, options?: BufReaderOptions) {
    checkSource("read from", source);
    const { maxSize = defaultMaxSize, initialSize = defaultSize } = checkOptions("make a BufReader", options);
    const problem = countProblem("maxSize", maxSize, 1) ?? countProblem("initialSize", initialSize, 1);
    if (problem !== undefined) throw problem;
    this.#in = new ReadBuffer(source, { maxSize, initialSize: Math.min(initialSize, maxSize) });
    Object.freeze(this);
  }

  /**
   * Makes a reader of data in memory, without a limit.
   *
   * @param data The data: bytes, which are not copied and must not change, or a text, which is read
   * as UTF-8.
   * @returns The reader. It has seen the end.
   * @throws {TypeError} If `data` is neither.
   *
   * @example Numbers from bytes
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await BufReader.of(Uint8Array.of(1, 2)).uint16be(), 0x102);
   * ```
   */
  static of(data: Uint8Array | string): BufReader {
    const problem = typeof data === "string" ? undefined : bytesProblem(data);
    if (problem !== undefined) throw problem;
    const reader = new BufReader(nullFlow, { maxSize: Number.MAX_SAFE_INTEGER });
    reader.#in.adopt(typeof data === "string" ? encode(data) : unshared(viewOf(data)), typeof data === "string");
    reader.#in.ended = true;
    return reader;
  }

  get #lines(): LineSplitter {
    return this.#splitter ??= new LineSplitter();
  }

  /**
   * How many bytes are buffered: read from the source, and not consumed.
   *
   * @returns At most `maxSize`.
   */
  get buffered(): number {
    return this.#in.size;
  }

  /**
   * How many bytes were consumed so far: the offset in the stream where the next operation begins.
   *
   * @returns The offset in bytes.
   */
  get consumed(): number {
    return this.#in.consumed;
  }

  /**
   * Whether the source has reported its end. Bytes may be left in the buffer.
   *
   * @returns Whether it was seen; {@linkcode BufReader.atEnd} looks for it.
   */
  get eofSeen(): boolean {
    return this.#in.ended;
  }

  /**
   * Returns the buffered bytes, without waiting, reading or consuming. Empty at first:
   * {@linkcode BufReader.ensure} reads.
   *
   * @returns A view of the buffer, read-only, and valid only until the next operation.
   *
   * @example Looking ahead
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(BufReader.of("abc").peek().length, 3);
   * ```
   */
  peek(): Uint8Array<ArrayBuffer> {
    return this.#in.peek();
  }

  /**
   * Waits until at least `size` bytes are buffered.
   *
   * @param size How many bytes are needed at once.
   * @throws {EndOfFlow} If the flow ends before; the bytes so far stay buffered.
   * @throws {BufferLimitExceeded} If `size` is more than `maxSize`; nothing is read then.
   * @throws {RangeError} If `size` is not a whole number of at least 0.
   * @throws {TypeError} If `size` is not a number.
   *
   * @example A parser of your own
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of("ab");
   * await reader.ensure(2);
   * assertEquals(reader.peek(), Uint8Array.of(97, 98));
   * reader.consume(2);
   * ```
   */
  ensure(size: number): Promise<void> {
    return this.#after(size, () => {});
  }

  /**
   * Consumes the first `size` buffered bytes. It never reads.
   *
   * @param size At most {@linkcode BufReader.buffered}.
   * @throws {RangeError} If fewer are buffered, or `size` is not a whole number of at least 0.
   * @throws {TypeError} If `size` is not a number.
   * @throws {BusyError} If an operation is in progress.
   *
   * @example Taking what was looked at
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of("abc");
   * reader.consume(2);
   * assertEquals([reader.consumed, reader.buffered], [2, 1]);
   * ```
   */
  consume(size: number): void {
    const problem = countProblem("size", size, 0, this.#in.size);
    if (problem !== undefined) throw problem;
    if (this.#in.busy) throw this.#in.problem();
    this.#in.consume(size);
  }

  /**
   * Reads a line: the text before the next LF or CR LF, which is consumed too. A CR alone is a part
   * of the line. Text after the last line end is a line, unless it is empty.
   *
   * The line is decoded as UTF-8: invalid bytes become U+FFFD, and a byte order mark is kept.
   * Keeping a line may keep up to 4 KiB of adjacent lines in memory.
   *
   * @returns The line without its end; null at the end.
   * @throws {BufferLimitExceeded} If the line and its end are longer than `maxSize`, or a last line
   * without an end has at least `maxSize` bytes.
   *
   * @example Two lines
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of("one\r\ntwo");
   * assertEquals([await reader.line(), await reader.line(), await reader.line()], ["one", "two", null]);
   * ```
   */
  line(): Promise<string | null> {
    try {
      const line = this.#in.ready(1) ? this.#lines.take(this.#in) : undefined;
      return line === undefined ? this.#nextLine((text) => text, null) : Promise.resolve(line);
    } catch (error) {
      return Promise.reject(error); // a line too long for a string
    }
  }

  /**
   * Iterates over the remaining lines. It reads nothing ahead: after the loop, other operations can
   * read the rest.
   *
   * @returns The lines, each as by {@linkcode BufReader.line}.
   * @throws {BufferLimitExceeded} If a line and its end are longer than `maxSize`.
   *
   * @example A loop
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * let sum = 0;
   * for await (const line of BufReader.of("1\n2\n3\n").lines()) sum += Number(line);
   * assertEquals(sum, 6);
   * ```
   */
  lines(): AsyncIterable<string> {
    const next = (): Promise<IteratorResult<string>> => {
      try {
        const value = this.#in.ready(1) ? this.#lines.take(this.#in) : undefined;
        if (value !== undefined) return Promise.resolve({ done: false, value });
        return this.#nextLine((value) => ({ done: false, value }), finished);
      } catch (error) {
        return Promise.reject(error);
      }
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  /**
   * Iterates over the remaining lines in batches, as many at once as have arrived: waiting for each
   * line costs several times the rest of its cost.
   *
   * A batch has at least one line, and at most 64 KiB of them unless a single one is longer. It
   * reads only when no whole line is buffered, and leaves an incomplete line buffered: after the
   * loop, other operations can read what follows the batch. Keeping a line may keep its batch in
   * memory.
   *
   * @returns The lines, each as by {@linkcode BufReader.line}, in batches.
   * @throws {BufferLimitExceeded} If a line and its end are longer than `maxSize`; the lines before
   * it were returned.
   *
   * @example A log of many lines
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * let sum = 0;
   * for await (const lines of BufReader.of("1\n2\n3\n").lineBatches()) {
   *   for (const line of lines) sum += Number(line);
   * }
   * assertEquals(sum, 6);
   * ```
   */
  lineBatches(): AsyncIterable<string[]> {
    const input = this.#in;
    const next = (): Promise<IteratorResult<string[]>> =>
      input.until(
        () => {
          const value = this.#lines.takeBatch(input);
          if (value !== undefined) return { done: false, value };
          if (!input.ended) return more;
          return input.size === 0 ? finished : { done: false, value: [this.#lines.takeRest(input)] };
        },
        undefined,
        aLine,
      );
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  /**
   * Reads exactly `size` bytes.
   *
   * @param size How many bytes.
   * @returns The bytes, in new memory.
   * @throws {EndOfFlow} If fewer are left.
   * @throws {BufferLimitExceeded} If `size` is more than `maxSize`; nothing is read then.
   * @throws {RangeError} If `size` is not a whole number of at least 0.
   * @throws {TypeError} If `size` is not a number.
   *
   * @example A body of known length
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await BufReader.of("abc").take(2), Uint8Array.of(97, 98));
   * ```
   */
  take(size: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#after(size, () => this.#in.take(size));
  }

  /**
   * Reads until the end.
   *
   * @returns The bytes, perhaps none, in new memory.
   * @throws {BufferLimitExceeded} If `maxSize` bytes or more are left. `readAll(reader.asSource())`
   * has no limit.
   *
   * @example What is left
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of("head\nbody");
   * await reader.line();
   * assertEquals((await reader.takeAll()).length, 4);
   * ```
   */
  takeAll(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#in.until(() => this.#in.ended ? this.#in.take(this.#in.size) : more);
  }

  /**
   * Reads bytes while `test` holds, until the first for which it does not, or the end.
   *
   * @param test Called once for each byte, in order. Its errors are passed on.
   * @returns The bytes, perhaps none, in new memory.
   * @throws {BufferLimitExceeded} If `test` holds for `maxSize` bytes.
   * @throws {TypeError} If `test` is not a function.
   *
   * @example A word
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals((await BufReader.of("ab c").takeWhile((byte) => byte !== 32)).length, 2);
   * ```
   */
  takeWhile(test: (byte: number) => boolean): Promise<Uint8Array<ArrayBuffer>> {
    return this.#takeWhile("takeWhile", test, 0);
  }

  /**
   * Reads at least one byte while `test` holds: see {@linkcode BufReader.takeWhile}.
   *
   * @param test Called once for each byte, in order. Its errors are passed on.
   * @returns The bytes, in new memory.
   * @throws {ParseError} If `test` does not hold for the first byte, or there is none.
   * @throws {BufferLimitExceeded} If `test` holds for `maxSize` bytes.
   * @throws {TypeError} If `test` is not a function.
   *
   * @example A number in digits
   * ```ts
   * import { BufReader, ParseError } from "@sluice/io";
   * import { assertEquals, assertRejects } from "@std/assert";
   *
   * const isDigit = (byte: number) => byte >= 48 && byte <= 57;
   * assertEquals((await BufReader.of("42;").takeWhile1(isDigit)).length, 2);
   * await assertRejects(() => BufReader.of(";").takeWhile1(isDigit), ParseError);
   * ```
   */
  takeWhile1(test: (byte: number) => boolean): Promise<Uint8Array<ArrayBuffer>> {
    return this.#takeWhile("takeWhile1", test, 1);
  }

  /**
   * Consumes `size` bytes, which may be more than `maxSize`. If it fails or is cancelled, the bytes
   * that came are consumed.
   *
   * @param size How many bytes.
   * @throws {EndOfFlow} If fewer are left; all are consumed then.
   * @throws {RangeError} If `size` is not a whole number of at least 0.
   * @throws {TypeError} If `size` is not a number.
   *
   * @example Skipping a part
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of("padding:value");
   * await reader.skip(8);
   * assertEquals(await reader.line(), "value");
   * ```
   */
  skip(size: number): Promise<void> {
    const problem = countProblem("size", size, 0);
    if (problem !== undefined) return Promise.reject(problem);
    const input = this.#in;
    const from = input.consumed;
    return input.until(() => {
      input.consume(Math.min(input.size, from + size - input.consumed));
      const skipped = input.consumed - from;
      return skipped === size ? undefined : input.moreFor(`skip ${size} bytes`, skipped);
    });
  }

  /**
   * Consumes bytes while `test` holds, without a limit. If it fails or is cancelled, the bytes
   * before are consumed.
   *
   * @param test Called once for each byte, in order. Its errors are passed on.
   * @returns How many bytes were consumed.
   * @throws {TypeError} If `test` is not a function.
   *
   * @example Leading spaces
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await BufReader.of("   a").skipWhile((byte) => byte === 32), 3);
   * ```
   */
  skipWhile(test: (byte: number) => boolean): Promise<number> {
    return this.#skipWhile("skipWhile", test, 0);
  }

  /**
   * Consumes at least one byte while `test` holds: see {@linkcode BufReader.skipWhile}.
   *
   * @param test Called once for each byte, in order. Its errors are passed on.
   * @returns How many bytes were consumed.
   * @throws {ParseError} If `test` does not hold for the first byte, or there is none.
   * @throws {TypeError} If `test` is not a function.
   *
   * @example A required separator
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await BufReader.of("  a").skipWhile1((byte) => byte === 32), 2);
   * ```
   */
  skipWhile1(test: (byte: number) => boolean): Promise<number> {
    return this.#skipWhile("skipWhile1", test, 1);
  }

  /**
   * Reads one byte, which must be `expected`.
   *
   * @param expected A whole number from 0 to 255.
   * @throws {ParseError} If it is another byte, which is not consumed then.
   * @throws {EndOfFlow} If the flow has ended.
   * @throws {RangeError} If `expected` is not a whole number from 0 to 255.
   * @throws {TypeError} If `expected` is not a number.
   *
   * @example A mark
   * ```ts
   * import { BufReader, ParseError } from "@sluice/io";
   * import { assertRejects } from "@std/assert";
   *
   * const reader = BufReader.of("a");
   * await assertRejects(() => reader.byte(65), ParseError, "Cannot read byte 65");
   * await reader.byte(97);
   * ```
   */
  byte(expected: number): Promise<void> {
    const problem = countProblem("a byte", expected, 0, 255);
    if (problem !== undefined) return Promise.reject(problem);
    return this.#after(1, () => {
      const actual = this.#first();
      if (actual !== expected) throw this.#mismatch(`read byte ${describeByte(expected)}`, describeByte(actual));
      this.#in.consume(1);
    });
  }

  /**
   * Reads a text, as UTF-8, which must be `expected`. It reports a mismatch as early as possible:
   * it waits for no byte after the first that differs.
   *
   * @param expected The text.
   * @throws {ParseError} If the text differs; nothing is consumed then.
   * @throws {EndOfFlow} If the flow ends within it; nothing is consumed then.
   * @throws {BufferLimitExceeded} If `maxSize` bytes match and more are needed.
   * @throws {TypeError} If `expected` is not a string.
   *
   * @example A greeting
   * ```ts
   * import { BufReader, ParseError } from "@sluice/io";
   * import { assertRejects } from "@std/assert";
   *
   * const reader = BufReader.of("HTTP/1.1");
   * await reader.string("HTTP/");
   * await assertRejects(() => reader.string("2"), ParseError, 'Cannot read "2": got "1" (at offset 5)');
   * ```
   */
  string(expected: string): Promise<void> {
    if (typeof expected !== "string") {
      return Promise.reject(new TypeError(`Cannot read ${describe(expected)}: must be a string`));
    }
    const input = this.#in;
    const bytes = encode(expected);
    const action = `read ${quoteText(expected)}`;
    let same = 0;
    return input.until(() => {
      while (same < bytes.length && same < input.size) {
        if (input.memory[input.start + same] === bytes[same++]) continue;
        throw this.#mismatch(action, quoteText(decode(input.peek().subarray(0, same))));
      }
      if (same < bytes.length) return input.moreFor(action);
      input.consume(same);
      return undefined;
    });
  }

  /**
   * Reads one byte.
   *
   * @returns The byte, from 0 to 255.
   * @throws {EndOfFlow} If the flow has ended.
   *
   * @example Byte by byte
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(await BufReader.of("a").anyByte(), 97);
   * ```
   */
  anyByte(): Promise<number> {
    return this.#number(formats.uint8);
  }

  /**
   * Returns the next byte without consuming it.
   *
   * @returns The byte, from 0 to 255; null at the end.
   *
   * @example Deciding by the next byte
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of("a");
   * assertEquals([await reader.peekByte(), await reader.anyByte(), await reader.peekByte()], [97, 97, null]);
   * ```
   */
  peekByte(): Promise<number | null> {
    return this.#in.until(() => this.#in.size > 0 ? this.#first() : this.#in.ended ? null : more);
  }

  /**
   * Reads one byte, as a number from 0 to 255.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(1));
   * assertEquals(await reader.uint8(), 1);
   * ```
   */
  uint8(): Promise<number> {
    return this.#number(formats.uint8);
  }

  /**
   * Reads 2 bytes, big-endian, as a whole number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(1, 2));
   * assertEquals(await reader.uint16be(), 0x102);
   * ```
   */
  uint16be(): Promise<number> {
    return this.#number(formats.uint16be);
  }

  /**
   * Reads 2 bytes, little-endian, as a whole number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(1, 2));
   * assertEquals(await reader.uint16le(), 0x201);
   * ```
   */
  uint16le(): Promise<number> {
    return this.#number(formats.uint16le);
  }

  /**
   * Reads 4 bytes, big-endian, as a whole number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(1, 2, 3, 4));
   * assertEquals(await reader.uint32be(), 0x1020304);
   * ```
   */
  uint32be(): Promise<number> {
    return this.#number(formats.uint32be);
  }

  /**
   * Reads 4 bytes, little-endian, as a whole number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(1, 2, 3, 4));
   * assertEquals(await reader.uint32le(), 0x4030201);
   * ```
   */
  uint32le(): Promise<number> {
    return this.#number(formats.uint32le);
  }

  /**
   * Reads 6 bytes, big-endian, as a whole number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(1, 2, 3, 4, 5, 6));
   * assertEquals(await reader.uint48be(), 0x10203040506);
   * ```
   */
  uint48be(): Promise<number> {
    return this.#number(formats.uint48be);
  }

  /**
   * Reads 6 bytes, little-endian, as a whole number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(1, 2, 3, 4, 5, 6));
   * assertEquals(await reader.uint48le(), 0x60504030201);
   * ```
   */
  uint48le(): Promise<number> {
    return this.#number(formats.uint48le);
  }

  /**
   * Reads 8 bytes, big-endian, as a whole number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
   * assertEquals(await reader.uint64be(), 0x102030405060708n);
   * ```
   */
  uint64be(): Promise<bigint> {
    return this.#number(formats.uint64be);
  }

  /**
   * Reads 8 bytes, little-endian, as a whole number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
   * assertEquals(await reader.uint64le(), 0x807060504030201n);
   * ```
   */
  uint64le(): Promise<bigint> {
    return this.#number(formats.uint64le);
  }

  /**
   * Reads 4 bytes, big-endian, as a floating point number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(0x3f, 0x80, 0, 0));
   * assertEquals(await reader.float32be(), 1);
   * ```
   */
  float32be(): Promise<number> {
    return this.#number(formats.float32be);
  }

  /**
   * Reads 4 bytes, little-endian, as a floating point number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(0, 0, 0x80, 0x3f));
   * assertEquals(await reader.float32le(), 1);
   * ```
   */
  float32le(): Promise<number> {
    return this.#number(formats.float32le);
  }

  /**
   * Reads 8 bytes, big-endian, as a floating point number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(0x3f, 0xf0, 0, 0, 0, 0, 0, 0));
   * assertEquals(await reader.float64be(), 1);
   * ```
   */
  float64be(): Promise<number> {
    return this.#number(formats.float64be);
  }

  /**
   * Reads 8 bytes, little-endian, as a floating point number.
   *
   * @returns The number.
   * @throws {EndOfFlow} If the flow ends before; nothing is consumed then.
   *
   * @example A number
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of(Uint8Array.of(0, 0, 0, 0, 0, 0, 0xf0, 0x3f));
   * assertEquals(await reader.float64le(), 1);
   * ```
   */
  float64le(): Promise<number> {
    return this.#number(formats.float64le);
  }

  /**
   * Reports whether the flow has ended. It waits for the next byte or the end: forever, unless
   * cancelled, on an open and idle connection.
   *
   * @returns True at the end, false if there is a byte.
   *
   * @example Up to the end
   * ```ts
   * import { BufReader } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = BufReader.of("ab");
   * let sum = 0;
   * while (!await reader.atEnd()) sum += await reader.anyByte();
   * assertEquals(sum, 97 + 98);
   * ```
   */
  atEnd(): Promise<boolean> {
    return this.#in.until(() => this.#in.size > 0 ? false : this.#in.ended || more);
  }

  /**
   * Requires the end of the flow. It may have to wait, as {@linkcode BufReader.atEnd} does.
   *
   * @throws {ParseError} If there is a byte.
   *
   * @example Nothing more
   * ```ts
   * import { BufReader } from "@sluice/io";
   *
   * await BufReader.of("").endOfInput();
   * ```
   */
  endOfInput(): Promise<void> {
    return this.#in.until(() => {
      if (this.#in.size > 0) throw this.#mismatch("end the input here", describeByte(this.#first()));
      return this.#in.ended ? undefined : more;
    });
  }

  /**
   * Returns the rest as a source. It reads through the buffer, so that small reads of it do not
   * become small reads of the underlying source; if the buffer is empty, a read of at least its
   * size goes directly to the underlying source. The reader counts what is read from it as
   * consumed. Reads of the two may alternate.
   *
   * @returns The source. It lends what is buffered, and then what the underlying source lends.
   *
   * @example A body that is passed on
   * ```ts
   * import { bufferSink, BufReader, copy, stringSource } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const reader = new BufReader(stringSource("head\nbody"), { maxSize: 1024 });
   * await reader.line();
   * const sink = bufferSink();
   * await copy(reader.asSource(), sink);
   * assertEquals(sink.text(), "body");
   * ```
   */
  asSource(): LendingSource {
    const input = this.#in;
    return Object.freeze<LendingSource & { readonly [label]: string | undefined }>({
      [label]: labelOf(input.source),
      read: (buffer) => checkBuffer(buffer) ?? input.readInto(buffer),
      [lend]: (use) => input.lend(use),
    });
  }

  /**
   * Ends the reader, and puts the buffered bytes back, for a protocol that begins within the
   * stream: TLS after STARTTLS, the protocol after an upgrade, or the connection behind a PROXY
   * header.
   *
   * The result is the same flow otherwise, including fast paths, options and addresses: closing or
   * aborting it closes or aborts `flow`. Use it instead of `flow`, which lacks the buffered bytes.
   * If nothing is buffered it is `flow` itself.
   *
   * @typeParam F The type of the flow.
   * @param flow The source of this reader.
   * @returns The flow, whose reads begin with the buffered bytes.
   * @throws {TypeError} If `flow` is not a flow, or not the source of this reader, or this is the
   * second call.
   * @throws {BusyError} If an operation is in progress.
   *
   * @example What follows the first line
   * ```ts
   * import { BufReader, copyString, pipe, readAll } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * const [client, server] = pipe();
   * await copyString("STARTTLS\r\nwhat comes next", client);
   * await client.close();
   *
   * const reader = new BufReader(server);
   * assertEquals(await reader.line(), "STARTTLS");
   * const flow = reader.unread(server);
   * assertEquals(new TextDecoder().decode(await readAll(flow)), "what comes next");
   * ```
   */
  unread<F extends TwoWay>(flow: F): F {
    checkSource("unread to", flow);
    checkSink("unread to", flow);
    const problem = this.#in.problem();
    if (problem !== undefined) throw problem;
    if (flow !== this.#in.source as unknown) {
      throw new TypeError(`Cannot unread to ${describe(flow)}: the reader reads from another source`);
    }
    const bytes = this.#in.handOver();
    return bytes.length === 0 ? flow : unreadTo(flow, bytes);
  }

  #first(): number {
    return this.#in.memory[this.#in.start] as number;
  }

  #mismatch(action: string, actual: string): ParseError {
    return new ParseError(`Cannot ${action}: got ${actual}`, this.#in.consumed);
  }

  #nextLine<L, E>(found: (line: string) => L, end: E): Promise<L | E> {
    const input = this.#in;
    return input.until<L | E>(
      () => {
        const line = this.#lines.take(input);
        if (line !== undefined) return found(line);
        if (!input.ended) return more;
        return input.size === 0 ? end : found(this.#lines.takeRest(input));
      },
      undefined,
      aLine,
    );
  }

  #number<T>(format: NumberFormat<T>): Promise<T> {
    const { size } = format;
    const input = this.#in;
    if (input.ready(size)) return Promise.resolve(this.#takeNumber(format));
    return input.until(() => input.has(size) ? this.#takeNumber(format) : more, size);
  }

  #takeNumber<T>(format: NumberFormat<T>): T {
    const input = this.#in;
    const number = format.get(input.view, input.start);
    input.consume(format.size);
    return number;
  }

  #takeWhile(name: string, test: (byte: number) => boolean, least: number): Promise<Uint8Array<ArrayBuffer>> {
    const input = this.#in;
    let size = 0;
    return this.#while(name, test, () => {
      size = input.match(test, size);
      if (size === input.size && !input.ended) return more;
      if (size < least) throw this.#noMatch(name);
      return input.take(size);
    });
  }

  #skipWhile(name: string, test: (byte: number) => boolean, least: number): Promise<number> {
    const input = this.#in;
    let skipped = 0;
    return this.#while(name, test, () => {
      const size = input.match(test, 0);
      const all = size === input.size;
      input.consume(size);
      skipped += size;
      if (all && !input.ended) return more;
      if (skipped < least) throw this.#noMatch(name);
      return skipped;
    });
  }

  #while<T>(name: string, test: unknown, attempt: () => T | typeof more): Promise<T> {
    if (typeof test === "function") return this.#in.until(attempt);
    return Promise.reject(new TypeError(`Cannot ${name}: ${describe(test)} is not a function`));
  }

  #noMatch(name: string): ParseError {
    return this.#mismatch(`${name} at least one byte`, this.#in.size > 0 ? describeByte(this.#first()) : "the end");
  }

  /** Returns the result of `attempt` once `size` bytes are buffered. */
  #after<T>(size: number, attempt: () => T): Promise<T> {
    const problem = countProblem("size", size, 0);
    if (problem !== undefined) return Promise.reject(problem);
    return this.#in.until(() => this.#in.has(size) ? attempt() : more, size);
  }
}
