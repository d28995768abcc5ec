// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, describe, isInstance } from "../../base/internal.ts";
import {
  BufferLimitExceeded,
  bytesSource,
  EndOfFlow,
  isBytes,
  operation,
  ParseError,
  type Source,
  stringSource,
} from "../internal.ts";
import { BufReader } from "./buf_reader.ts";

/** Options for {@linkcode parse}. */
export interface ParseOptions {
  /**
   * The most that is buffered, in bytes: a whole number of at least 1. Parsers that read until the
   * end, such as `takeAll`, need one more than their result. Data in memory has no limit unless one
   * is given.
   *
   * @default {1048576}
   */
  maxSize?: number | undefined;
}

/**
 * Parses everything that a source has: `parser` must read until the end.
 *
 * Invalid input causes a {@linkcode ParseError} with its offset: a mismatch, an early end (the
 * cause is an {@linkcode EndOfFlow}, the offset that of the end), too much data to buffer (a
 * {@linkcode BufferLimitExceeded}), or trailing data. Other errors, such as those of a connection,
 * are thrown unchanged. The source is not closed.
 *
 * @typeParam T The result of the parser.
 * @param source The input: a source, or data in memory.
 * @param parser Reads from the given reader.
 * @param options How much may be buffered.
 * @returns The result of the parser.
 * @throws {ParseError} If the input does not match what the parser requires.
 * @throws {RangeError} If `maxSize` is not a whole number of at least 1.
 * @throws {TypeError} If `source` cannot be read, or `parser` is not a function.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example A version
 * ```ts
 * import { type BufReader, parse, ParseError } from "@sluice/io";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * async function version(r: BufReader): Promise<number> {
 *   await r.string("v");
 *   return await r.anyByte() - 48;
 * }
 * assertEquals(await parse("v2", version), 2);
 * await assertRejects(() => parse("v2 beta", version), ParseError, "(at offset 2)");
 * ```
 */
export function parse<T>(
  source: Source | Uint8Array | string,
  parser: (r: BufReader) => Promise<T>,
  options?: ParseOptions,
): Promise<T> {
  return operation(async () => {
    if (typeof parser !== "function") throw new TypeError(`Cannot parse: ${describe(parser)} is not a function`);
    checkOptions("parse", options);
    const reader = readerOf(source, options?.maxSize);
    try {
      const value = await parser(reader);
      await reader.endOfInput();
      return value;
    } catch (error) {
      if (isInstance(error, EndOfFlow)) {
        throw new ParseError(error.message, reader.consumed + reader.buffered, error); // where the input ended
      }
      if (isInstance(error, BufferLimitExceeded)) throw new ParseError(error.message, reader.consumed, error);
      throw error;
    }
  });
}

function readerOf(source: Source | Uint8Array | string, maxSize: number | undefined): BufReader {
  if (typeof source === "string") {
    return maxSize === undefined ? BufReader.of(source) : new BufReader(stringSource(source), { maxSize });
  }
  if (isBytes(source)) {
    return maxSize === undefined ? BufReader.of(source) : new BufReader(bytesSource(source), { maxSize });
  }
  return new BufReader(source, { maxSize });
}
