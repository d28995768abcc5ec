// Copyright 2026 the Sluice authors. MIT license.

import { decode } from "../internal.ts";
import type { ReadBuffer } from "./_read_buffer.ts";

const lineFeed = 10;
const carriageReturn = 13;

/**
 * How far lines are decoded ahead, in bytes. More is hardly faster, and keeps more memory alive: in
 * most engines a line shares the memory of the text that it was cut from.
 */
const mostAhead = 4096;
const firstAhead = 256;

/** The most bytes of lines in one batch, unless a single line is longer. */
const batchSize = 64 * 1024;

/**
 * Cuts lines from a buffer. Decoding each line alone costs more than all other work, so lines are
 * cut from text that is decoded ahead; nothing is consumed ahead. In UTF-8, a line feed is a single
 * byte, even after invalid bytes: so the text has as many line feeds as the bytes, and each line
 * decodes as if it were alone.
 */
export class LineSplitter {
  /** Whole lines, decoded ahead. */
  #text = "";
  /** Where in `#text` the next line begins. */
  #at = 0;
  /** Offset of `#at` in the stream. If the reader is elsewhere, the text is stale. */
  #offset = 0;
  /** Whether each byte was decoded to one UTF-16 unit of `#text`. */
  #exact = true;
  #ahead = 0;
  /** Offset in the stream up to which the unread bytes have no line feed. */
  #searched = 0;

  /** Consumes the next line with its end; `undefined` if its end is not buffered. */
  take(input: ReadBuffer): string | undefined {
    if (input.consumed !== this.#offset) {
      this.#text = "";
      this.#ahead = 0;
    } else if (this.#text !== "") return this.#cut(input);
    return this.#decodeAhead(input);
  }

  /** Consumes all whole buffered lines that fit into a batch; `undefined` if there is none. */
  takeBatch(input: ReadBuffer): string[] | undefined {
    const first = this.#firstEnd(input);
    if (first === undefined) return undefined;
    const { memory, start } = input;
    const last = lastEnd(input, first, batchSize);
    const text = decode(memory.subarray(start, last));
    input.consume(last + 1 - start);
    const lines = text.split("\n");
    return text.includes("\r") ? lines.map(withoutReturn) : lines;
  }

  /** Consumes what is buffered as the last line. */
  takeRest(input: ReadBuffer): string {
    const line = decode(input.peek());
    input.consume(input.size);
    return line;
  }

  #cut(input: ReadBuffer): string {
    const text = this.#text;
    const from = this.#at;
    const to = text.indexOf("\n", from);
    const size = this.#exact ? to - from + 1 : input.memory.indexOf(lineFeed, input.start) - input.start + 1;
    this.#at = to + 1;
    if (this.#at === text.length) this.#text = "";
    input.consume(size);
    this.#offset = input.consumed;
    // Search the whole text: a search in the line itself makes JSC copy it.
    return text.substring(from, to > from && text.charCodeAt(to - 1) === carriageReturn ? to - 1 : to);
  }

  #decodeAhead(input: ReadBuffer): string | undefined {
    const first = this.#firstEnd(input);
    if (first === undefined) return undefined;
    const { memory, start } = input;
    const last = lastEnd(input, first, this.#ahead);
    this.#ahead = Math.min(mostAhead, Math.max(firstAhead, this.#ahead * 2));
    if (last > first) {
      this.#text = decode(memory.subarray(start, last + 1));
      this.#at = 0;
      this.#exact = this.#text.length === last + 1 - start;
      return this.#cut(input);
    }
    const line = withoutReturn(decode(memory.subarray(start, first)));
    input.consume(first + 1 - start);
    this.#offset = input.consumed;
    return line;
  }

  /** Returns where the first line ends; `undefined` if its end is not buffered. */
  #firstEnd(input: ReadBuffer): number | undefined {
    const { memory, start, end } = input;
    const first = memory.indexOf(lineFeed, start + Math.max(0, this.#searched - input.consumed));
    if (first >= 0 && first < end) return first;
    this.#searched = input.consumed + input.size;
    return undefined;
  }
}

/**
 * Returns the end of the last line within the first `size` bytes; if none ends there, `first`, the
 * end of the first line.
 */
function lastEnd({ memory, start, end }: ReadBuffer, first: number, size: number): number {
  const limit = Math.min(end, start + size);
  return first < limit - 1 ? memory.lastIndexOf(lineFeed, limit - 1) : first;
}

function withoutReturn(line: string): string {
  return line.charCodeAt(line.length - 1) === carriageReturn ? line.slice(0, -1) : line;
}
