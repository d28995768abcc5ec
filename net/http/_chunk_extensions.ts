// Copyright 2026 the Sluice authors. MIT license.

import { kindOfByte, tokenByte, valueByte } from "./_characters.ts";
import { HttpError } from "./errors.ts";

/** The most bytes of all chunk extensions of a body, which nothing reads. */
const mostBytes = 16 * 1024;

const carriageReturn = 13;
const quote = 34;
const semicolon = 59;
const equals = 61;
const backslash = 92;

const beforeName = 0;
const inName = 1;
const beforeValue = 2;
const inValue = 3;
const inQuotes = 4;
const escaped = 5;
const afterQuotes = 6;

/**
 * Checks the extensions of the chunks of one body (RFC 9112, section 7.1.1), and drops them. White
 * space in them, which senders must not send, is refused.
 */
export class ChunkExtensions {
  #state = beforeName;
  #size = 0;

  /**
   * Takes one byte after the semicolon that follows a chunk size. Returns whether it is the
   * carriage return that ends the extensions of this chunk.
   */
  take(byte: number): boolean {
    if (++this.#size > mostBytes) throw new HttpError(`its chunk extensions are larger than ${mostBytes} bytes`);
    const state = this.#state;
    if (byte === carriageReturn && (state === inName || state === inValue || state === afterQuotes)) {
      this.#state = beforeName;
      return true;
    }
    this.#state = next(state, byte);
    return false;
  }
}

/** Returns the state after `byte`. */
function next(state: number, byte: number): number {
  const kind = kindOfByte[byte];
  const isToken = (kind & tokenByte) !== 0;
  if (state === escaped && (kind & valueByte) !== 0) return inQuotes;
  if (state === inQuotes && (kind & valueByte) !== 0) {
    return byte === quote ? afterQuotes : byte === backslash ? escaped : inQuotes;
  }
  if (state === beforeValue && byte === quote) return inQuotes;
  if (isToken && (state === beforeName || state === inName)) return inName;
  if (isToken && (state === beforeValue || state === inValue)) return inValue;
  if (byte === equals && state === inName) return beforeValue;
  if (byte === semicolon && (state === inName || state === inValue || state === afterQuotes)) return beforeName;
  throw new HttpError("a chunk extension is malformed");
}
