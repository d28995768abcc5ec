// Copyright 2026 the Sluice authors. MIT license.

import { decode } from "../../flow/internal.ts";
import { kindOfByte, latin1, tokenByte, valueByte } from "./_characters.ts";
import { HttpError } from "./errors.ts";

/** A header: its name as received, and its value without white space around it. */
export type Field = readonly [name: string, value: string];

const tab = 9;
const lineFeed = 10;
const carriageReturn = 13;
const space = 32;
const colon = 58;

const atLineStart = 0;
const inName = 1;
const inValue = 2;
const atLineEnd = 3;
const atLastLineEnd = 4;
const atEnd = 5;

/**
 * Parses the header lines of a message, or its trailers, up to the empty line: byte by byte, so
 * that the result does not depend on how the bytes arrive. Strict by RFC 9112, section 5: no line
 * end but CRLF, no folded line, no white space before a colon.
 */
export class FieldParser {
  #state = atLineStart;
  /** What was taken, with one character for each byte. */
  #text = "";
  /** For each line, where its name begins, its colon is, and its value ends. */
  readonly #marks: number[] = [];

  /** Whether the empty line was taken. */
  get done(): boolean {
    return this.#state === atEnd;
  }

  /**
   * Takes bytes from `at` to `end`, or to the empty line. Returns where it stopped.
   *
   * @throws {HttpError} At the first byte that breaks the rules.
   */
  take(bytes: Uint8Array, at: number, end: number): number {
    const offset = this.#text.length - at;
    let state = this.#state;
    let bits = 0;
    let i = at;
    while (i < end && state !== atEnd) {
      const byte = bytes[i++];
      switch (state) {
        case inName:
          if ((kindOfByte[byte] & tokenByte) !== 0) break;
          if (byte !== colon) throw nameProblem(byte);
          this.#marks.push(i - 1 + offset);
          state = inValue;
          break;
        case inValue: {
          let each = byte;
          while ((kindOfByte[each] & valueByte) !== 0) {
            bits |= each;
            if (i === end) break;
            each = bytes[i++];
          }
          if ((kindOfByte[each] & valueByte) !== 0) break;
          if (each !== carriageReturn) throw controlProblem(each);
          this.#marks.push(i - 1 + offset);
          state = atLineEnd;
          break;
        }
        case atLineStart:
          if (byte === carriageReturn) state = atLastLineEnd;
          else if ((kindOfByte[byte] & tokenByte) === 0) throw startProblem(byte);
          else {
            this.#marks.push(i - 1 + offset);
            state = inName;
          }
          break;
        default:
          if (byte !== lineFeed) throw new HttpError("its header has a carriage return that ends no line");
          state = state === atLineEnd ? atLineStart : atEnd;
      }
    }
    this.#state = state;
    const ascii = (bits & 0x80) === 0;
    if (i > at) this.#text += ascii ? decode(bytes.subarray(at, i)) : latin1(bytes, at, i);
    return i;
  }

  /** Returns the headers once they are {@linkcode FieldParser.done}. */
  fields(): Field[] {
    const fields: Field[] = [];
    const marks = this.#marks;
    for (let i = 0; i < marks.length; i += 3) {
      fields.push([this.#text.slice(marks[i], marks[i + 1]), trimmed(this.#text, marks[i + 1] + 1, marks[i + 2])]);
    }
    return fields;
  }
}

/** Returns the text from `start` to `end`, without spaces and tabs around it. */
function trimmed(text: string, start: number, end: number): string {
  let [from, to] = [start, end];
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(character: number): boolean {
  return character === space || character === tab;
}

function nameProblem(byte: number): HttpError {
  if (isBlank(byte)) return new HttpError("its header has white space before a colon");
  if (byte === carriageReturn || byte === lineFeed) return new HttpError("its header has a line without a colon");
  return new HttpError("the name of a header has a character that is not allowed");
}

function startProblem(byte: number): HttpError {
  if (isBlank(byte)) return new HttpError("its header has a folded line");
  if (byte === lineFeed) return controlProblem(byte);
  return new HttpError("the name of a header has a character that is not allowed");
}

function controlProblem(byte: number): HttpError {
  if (byte === lineFeed) return new HttpError("its header has a line feed without a carriage return");
  return new HttpError("the value of a header has a control character");
}
