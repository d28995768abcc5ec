// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, checkShape, describe } from "../../base/internal.ts";
import { ParseError } from "../internal.ts";
import type { BufReader } from "./buf_reader.ts";

/** Options for {@linkcode sequence}. */
export interface SequenceOptions {
  /**
   * Called before each item; the sequence ends when it returns true.
   *
   * @default {(r) => r.atEnd()}
   */
  stop?: ((r: BufReader) => Promise<boolean>) | undefined;
}

/**
 * Parses items one after the other, on demand.
 *
 * It can be iterated over once, and only while no other code reads from the reader between two
 * items: each item begins where the last one ended. A parser that consumes nothing is an error,
 * because the sequence would never end. An error of `parser` or `stop` ends it. After a `break`,
 * the rest is still in the reader.
 *
 * @typeParam T An item.
 * @param reader The reader to read from.
 * @param parser Reads one item, of at least one byte.
 * @param options When to stop.
 * @returns The items. The loop throws the errors of `parser` and `stop`, and a
 * {@linkcode ParseError} if `parser` has consumed nothing.
 * @throws {TypeError} If `parser` or `stop` is not a function. The loop throws it if the items
 * were iterated over before, or if the reader is not where the last item ended.
 *
 * @example Pairs of bytes
 * ```ts
 * import { BufReader, sequence } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const pairs = sequence(BufReader.of(Uint8Array.of(0, 1, 0, 2)), (r) => r.uint16be());
 * assertEquals(await Array.fromAsync(pairs), [1, 2]);
 * ```
 */
export function sequence<T>(
  reader: BufReader,
  parser: (r: BufReader) => Promise<T>,
  options?: SequenceOptions,
): AsyncIterable<T> {
  checkShape("parse a sequence", "reader", "a BufReader", reader, "atEnd");
  checkOptions("parse a sequence", options);
  const { stop = (r: BufReader) => r.atEnd() } = options ?? {};
  for (const fn of [parser, stop]) {
    if (typeof fn !== "function") throw new TypeError(`Cannot parse a sequence: ${describe(fn)} is not a function`);
  }
  const start = reader.consumed;
  let used = false;

  async function* items(): AsyncGenerator<T, void> {
    for (let offset = start;;) {
      if (reader.consumed !== offset) {
        throw new TypeError(
          `Cannot go on with a sequence at offset ${offset}: the reader is at offset ${reader.consumed}`,
        );
      }
      if (await stop(reader)) return;
      const item = await parser(reader);
      if (reader.consumed === offset) throw new ParseError("Cannot read an item: the parser consumed nothing", offset);
      offset = reader.consumed;
      yield item;
    }
  }
  return {
    [Symbol.asyncIterator]() {
      if (used) {
        throw new TypeError(
          `Cannot go through a sequence twice: it began at offset ${start}, and the reader is at offset ${reader.consumed}`,
        );
      }
      used = true;
      return items();
    },
  };
}
