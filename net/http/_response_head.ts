// Copyright 2026 the Sluice authors. MIT license.

import { kindOfByte, valueByte } from "./_characters.ts";
import { HttpError } from "./errors.ts";
import { type Field, FieldParser } from "./_fields.ts";

/** The head of a response. */
export interface IncomingHead {
  /** The minor version: HTTP/1.0 or HTTP/1.1. */
  readonly version: 0 | 1;
  /** The final status: from 200 to 599, or 101. */
  readonly status: number;
  /** The reason phrase, one character for each byte, which may be empty. */
  readonly statusText: string;
  /** The headers in their order. */
  readonly headers: readonly Field[];
}

/** The most informational responses before the final one. */
const mostInformational = 32;

const lineFeed = 10;
const carriageReturn = 13;
const space = 32;
const zero = 48;

const protocol = Uint8Array.from("HTTP/1.", (character) => character.charCodeAt(0));
const versionAt = protocol.length;
const statusAt = versionAt + 2;
const statusEnd = statusAt + 3;

/**
 * Parses a status line: `HTTP/1.1 200 OK`. The space before an empty reason may be missing, because
 * some servers leave it out.
 */
class StatusLineParser {
  version: 0 | 1 = 1;
  status = 0;
  reason = "";
  done = false;
  #size = 0;
  #ending = false;

  take(bytes: Uint8Array, at: number, end: number): number {
    let i = at;
    while (i < end && !this.done) this.#take(bytes[i++]);
    return i;
  }

  #take(byte: number): void {
    const at = this.#size++;
    if (this.#ending) {
      if (byte !== lineFeed) throw new HttpError("its status line has a carriage return that does not end it");
      this.done = true;
    } else if (at < versionAt) {
      if (byte !== protocol[at]) throw new HttpError("it does not begin with HTTP/1.1 or HTTP/1.0");
    } else if (at === versionAt) {
      if (byte !== zero && byte !== zero + 1) throw new HttpError("it does not begin with HTTP/1.1 or HTTP/1.0");
      this.version = byte === zero ? 0 : 1;
    } else if (at === statusAt - 1) {
      if (byte !== space) throw new HttpError("its status line has no space after the version");
    } else if (at < statusEnd) {
      const digit = byte - zero;
      if (!(digit >= 0 && digit <= 9)) throw new HttpError("its status has not three digits");
      this.status = this.status * 10 + digit;
    } else if (byte === carriageReturn) {
      this.#ending = true;
    } else if (at === statusEnd) {
      if (byte !== space) throw new HttpError("its status has not three digits");
    } else if ((kindOfByte[byte] & valueByte) !== 0) {
      this.reason += String.fromCharCode(byte);
    } else if (byte === lineFeed) {
      throw new HttpError("its status line ends without a carriage return");
    } else {
      throw new HttpError("its status line has a control character");
    }
  }
}

/**
 * Parses the head of a response, and skips informational ones (1xx, but 101) before it. All of them
 * together have at most `limit` bytes. The result does not depend on how the bytes arrive.
 */
export class ResponseHeadParser {
  readonly #limit: number;
  #left: number;
  #line: StatusLineParser = new StatusLineParser();
  #fields: FieldParser = new FieldParser();
  #informational = 0;

  constructor(limit: number) {
    this.#limit = this.#left = limit;
  }

  /** The head, once it is complete. */
  head: IncomingHead | undefined;

  /**
   * Takes bytes from `at`, up to the end of the head. Returns where it stopped.
   *
   * @throws {HttpError} At the first byte that breaks the rules, or exceeds the limit.
   */
  take(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    let i = at;
    while (i < end && this.head === undefined) {
      if (!this.#line.done) i = this.#line.take(bytes, i, end);
      if (this.#line.done) i = this.#fields.take(bytes, i, end);
      if (this.#fields.done) this.#finish();
    }
    this.#left -= i - at;
    if (i < bytes.length && this.head === undefined) {
      throw new HttpError(`its header is larger than ${this.#limit} bytes`);
    }
    return i;
  }

  #finish(): void {
    const { version, status, reason } = this.#line;
    const headers = this.#fields.fields();
    if (status < 100 || status > 599) throw new HttpError("its status is not from 100 to 599");
    if (status >= 200 || status === 101) {
      this.head = { version, status, statusText: reason, headers };
      return;
    }
    if (++this.#informational > mostInformational) {
      throw new HttpError(`more than ${mostInformational} informational responses came before it`);
    }
    if (headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name))) {
      throw new HttpError("an informational response has a body");
    }
    this.#line = new StatusLineParser();
    this.#fields = new FieldParser();
  }
}
