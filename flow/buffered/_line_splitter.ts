// Copyright 2026 the Sluice authors. MIT license.

import { decode } from "../internal.ts";
import type { ReadBuffer } from "./_read_buffer.ts";

const lineFeed = 10;
const carriageReturn = 13;

/**
 * How far lines are decoded ahead, in bytes. More is hardly faster. Engines let a line share the memory of the text that it was cut from, so this is also
 * what one line that is kept may keep alive.
 */
const mostAhead = 4096;
const firstAhead = 256;

/** How many bytes of lines one batch has at most, but for one line that is longer. */
const batchSize = 64 * 1024;

/**
 * Cuts lines from a buffer. Decoding a line alone costs more than everything else about it, so a reader that asks for line after line gets them from
 * text that was decoded ahead; nothing is consumed ahead. A line feed is a byte of its own in UTF-8, even after invalid bytes, so that the text has as
 * many as the bytes, and each line is decoded as if it were alone.
 */
export class LineSplitter {
  /** Whole lines, decoded ahead. */
  #text = "";
  /** Where in `#text` the next line begins. */
  #at = 0;
  /** Where in the stream that is. Asking elsewhere starts anew. */
  #offset = 0;
  /** Whether each byte is one unit of `#text`. */
  #exact = true;
  #ahead = 0;
  /** Up to where in the stream no line feed is. */
  #searched = 0;

  /** The next line, which is consumed with its end; `undefined` when its end is not buffered. */
  take(input: ReadBuffer): string | undefined {
    if (input.consumed !== this.#offset) {
      this.#text = "";
      this.#ahead = 0;
    } else if (this.#text !== "") return this.#cut(input);
    return this.#decodeAhead(input);
  }

  /** All lines whose ends are buffered, as far as they fit into a batch, which are consumed; `undefined` when there is none. */
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

  /** What is buffered, as the last line, which is consumed. */
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
    // Looked for in the whole text: looking into the line itself makes JSC copy it.
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

  /** Where the first line ends; `undefined` when its end is not buffered. */
  #firstEnd(input: ReadBuffer): number | undefined {
    const { memory, start, end } = input;
    const first = memory.indexOf(lineFeed, start + Math.max(0, this.#searched - input.consumed));
    if (first >= 0 && first < end) return first;
    this.#searched = input.consumed + input.size;
    return undefined;
  }
}

/** Where the last line ends that is within the first `size` bytes; else `first`, where the first one ends. */
function lastEnd({ memory, start, end }: ReadBuffer, first: number, size: number): number {
  const limit = Math.min(end, start + size);
  return first < limit - 1 ? memory.lastIndexOf(lineFeed, limit - 1) : first;
}

function withoutReturn(line: string): string {
  return line.charCodeAt(line.length - 1) === carriageReturn ? line.slice(0, -1) : line;
}
