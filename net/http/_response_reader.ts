// Copyright 2026 the Sluice authors. MIT license.

import { type BodyDecoder, ChunkedDecoder, LengthDecoder, UntilCloseDecoder } from "./_body.ts";
import { bodyKindOf, framingOf, staysOpen } from "./_framing.ts";
import { type IncomingHead, ResponseHeadParser } from "./_response_head.ts";

/**
 * Reads one response from bytes as they arrive. It waits for nothing and knows no connection. The
 * result does not depend on how the bytes are split.
 */
export class ResponseReader {
  readonly #method: string;
  readonly #limit: number;
  readonly #parser: ResponseHeadParser;
  #decoder: BodyDecoder | undefined;
  /** The head, once it is complete. */
  head: IncomingHead | undefined;
  /** Whether the sender keeps the connection open after this response. */
  staysOpen = false;
  /** How long the sender keeps an idle connection open, in seconds, if it says so. */
  idleSeconds: number | undefined;
  /** Whether the response is complete. */
  ended = false;
  /** The part of the body that the last `take` found, in new memory; `undefined` if none. */
  data: Uint8Array<ArrayBuffer> | undefined;

  /**
   * @param method The method of the request.
   * @param limit The most bytes of all heads together, and of the trailers.
   */
  constructor(method: string, limit: number) {
    this.#method = method;
    this.#limit = limit;
    this.#parser = new ResponseHeadParser(limit);
  }

  /** Whether the end of the connection completes the response. */
  get endsAtClose(): boolean {
    return this.#decoder?.untilClose === true;
  }

  /**
   * Takes bytes, up to the end of the response. Returns how many were taken.
   *
   * @throws {HttpError} At the first byte that breaks the rules, or exceeds a limit.
   */
  take(bytes: Uint8Array<ArrayBuffer>): number {
    let at = 0;
    this.data = undefined;
    if (this.head === undefined) {
      at = this.#parser.take(bytes, 0);
      if (this.#parser.head === undefined) return at;
      this.#begin(this.#parser.head);
    }
    const decoder = this.#decoder;
    if (decoder === undefined) return at;
    const end = decoder.take(bytes, at);
    this.data = decoder.data;
    this.ended = decoder.ended;
    return end;
  }

  #begin(head: IncomingHead): void {
    const framing = framingOf(head.version, head.headers);
    this.staysOpen = staysOpen(head, framing);
    this.idleSeconds = framing.idleSeconds;
    switch (bodyKindOf(this.#method, head, framing)) {
      case "none":
        this.ended = true;
        break;
      case "length":
        this.#decoder = new LengthDecoder(framing.length as number);
        break;
      case "chunked":
        this.#decoder = new ChunkedDecoder(this.#limit);
        break;
      case "close":
        this.#decoder = new UntilCloseDecoder();
    }
    this.head = head;
  }
}
