// Copyright 2026 the Sluice authors. MIT license.

/** Decoders of bodies (RFC 9112, sections 6 and 7). */
import { ChunkExtensions } from "./_chunk_extensions.ts";
import { HttpError } from "./errors.ts";
import { FieldParser } from "./_fields.ts";

/** Decodes the body of one message. */
export interface BodyDecoder {
  /** Whether the body has ended. */
  readonly ended: boolean;
  /** Whether the end of the connection ends the body. */
  readonly untilClose: boolean;
  /** What the last `take` found, in new memory; `undefined` if nothing. */
  readonly data: Uint8Array<ArrayBuffer> | undefined;
  /**
   * Takes bytes from `at`, up to the end of the body. Returns where it stopped.
   *
   * @throws {HttpError} At the first byte that breaks the rules.
   */
  take(bytes: Uint8Array<ArrayBuffer>, at: number): number;
}

/** A body of a known length. */
export class LengthDecoder implements BodyDecoder {
  data: Uint8Array<ArrayBuffer> | undefined;
  readonly untilClose: boolean = false;
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  get ended(): boolean {
    return this.#left === 0;
  }

  take(bytes: Uint8Array<ArrayBuffer>, at: number): number {
    const end = at + Math.min(this.#left, bytes.length - at);
    this.#left -= end - at;
    this.data = end > at ? bytes.slice(at, end) : undefined;
    return end;
  }
}

/** A body that the end of the connection ends. */
export class UntilCloseDecoder implements BodyDecoder {
  data: Uint8Array<ArrayBuffer> | undefined;
  readonly untilClose: boolean = true;
  readonly ended: boolean = false;

  take(bytes: Uint8Array<ArrayBuffer>, at: number): number {
    this.data = at < bytes.length ? bytes.slice(at) : undefined;
    return bytes.length;
  }
}

const lineFeed = 10;
const carriageReturn = 13;
const semicolon = 59;

/** The most digits of a chunk size. More are padding, or a number too large to be exact. */
const mostDigits = 16;

const inSize = 0;
const inExtension = 1;
const atSizeEnd = 2;
const inData = 3;
const afterData = 4;
const atDataEnd = 5;
const inTrailers = 6;
const atEnd = 7;

/**
 * A `chunked` body. Extensions and trailers are checked and dropped; the trailers have at most
 * `limit` bytes.
 */
export class ChunkedDecoder implements BodyDecoder {
  data: Uint8Array<ArrayBuffer> | undefined;
  readonly untilClose: boolean = false;
  readonly #limit: number;
  #state = inSize;
  #size = 0;
  #digits = 0;
  #extensions: ChunkExtensions | undefined;
  #trailers: FieldParser | undefined;
  #trailersLeft: number;

  constructor(limit: number) {
    this.#limit = this.#trailersLeft = limit;
  }

  get ended(): boolean {
    return this.#state === atEnd;
  }

  take(bytes: Uint8Array<ArrayBuffer>, at: number): number {
    // Most pieces hold the data of one chunk; that of more is joined.
    let start = 0;
    let size = 0;
    let memory: Uint8Array<ArrayBuffer> | undefined;
    let i = at;
    while (i < bytes.length && this.#state !== atEnd) {
      if (this.#state === inData) {
        const count = Math.min(this.#size, bytes.length - i);
        if (size === 0) start = i;
        else {
          if (memory === undefined) {
            memory = new Uint8Array(size + bytes.length - i);
            memory.set(bytes.subarray(start, start + size));
          }
          memory.set(bytes.subarray(i, i + count), size);
        }
        size += count;
        i += count;
        this.#size -= count;
        if (this.#size === 0) this.#state = afterData;
      } else if (this.#state === inTrailers) i = this.#takeTrailers(bytes, i);
      else this.#takeByte(bytes[i++]);
    }
    this.data = memory?.slice(0, size) ?? (size > 0 ? bytes.slice(start, start + size) : undefined);
    return i;
  }

  #takeByte(byte: number): void {
    switch (this.#state) {
      case inSize:
        return this.#takeSize(byte);
      case inExtension:
        if ((this.#extensions ??= new ChunkExtensions()).take(byte)) this.#state = atSizeEnd;
        return;
      case atSizeEnd:
        if (byte !== lineFeed) throw new HttpError("a chunk size does not end with CRLF");
        this.#state = this.#size > 0 ? inData : inTrailers;
        this.#digits = 0;
        return;
      case afterData:
        if (byte !== carriageReturn) throw new HttpError("a chunk does not end with CRLF");
        this.#state = atDataEnd;
        return;
      default:
        if (byte !== lineFeed) throw new HttpError("a chunk does not end with CRLF");
        this.#state = inSize;
    }
  }

  #takeSize(byte: number): void {
    const digit = digitOf(byte);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      if (++this.#digits <= mostDigits && Number.isSafeInteger(this.#size)) return;
      throw new HttpError("a chunk size is too large");
    }
    if (this.#digits === 0) throw new HttpError("a chunk size is not hexadecimal");
    if (byte === carriageReturn) this.#state = atSizeEnd;
    else if (byte === semicolon) this.#state = inExtension;
    else throw new HttpError("a chunk size is not hexadecimal");
  }

  #takeTrailers(bytes: Uint8Array, at: number): number {
    const trailers = this.#trailers ??= new FieldParser();
    const end = trailers.take(bytes, at, Math.min(bytes.length, at + this.#trailersLeft));
    this.#trailersLeft -= end - at;
    if (trailers.done) this.#state = atEnd;
    else if (end < bytes.length) throw new HttpError(`its trailers are larger than ${this.#limit} bytes`);
    return end;
  }
}

/** Returns the value of a hexadecimal digit, and -1 for anything else. */
function digitOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
