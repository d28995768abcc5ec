// Copyright 2026 the Sluice authors. MIT license.

import type { ReadBuffer } from "./read_buffer.ts";
import { decode } from "./text.ts";

const lineFeed = 10;
const carriageReturn = 13;

/**
 * How far lines are decoded ahead, in bytes. More is hardly faster. Engines let a line share the memory of the text that it was cut from, so this is also
 * what one line that is kept may keep alive.
 */
const mostAhead = 4096;
const firstAhead = 256;

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
    return text.substring(from, to > from && text.charCodeAt(to - 1) === carriageReturn ? to - 1 : to);
  }

  #decodeAhead(input: ReadBuffer): string | undefined {
    const { memory, start, end } = input;
    const first = memory.indexOf(lineFeed, start + Math.max(0, this.#searched - input.consumed));
    if (first < 0 || first >= end) {
      this.#searched = input.consumed + input.size;
      return undefined;
    }
    const limit = Math.min(end, start + this.#ahead);
    const last = first < limit - 1 ? memory.lastIndexOf(lineFeed, limit - 1) : first;
    this.#ahead = Math.min(mostAhead, Math.max(firstAhead, this.#ahead * 2));
    if (last > first) {
      this.#text = decode(memory.subarray(start, last + 1));
      this.#at = 0;
      this.#exact = this.#text.length === last + 1 - start;
      return this.#cut(input);
    }
    const to = first > start && memory[first - 1] === carriageReturn ? first - 1 : first;
    const line = decode(memory.subarray(start, to));
    input.consume(first + 1 - start);
    this.#offset = input.consumed;
    return line;
  }
}
