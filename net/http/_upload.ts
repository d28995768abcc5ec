// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../base/internal.ts";
import { encode, giveOwned, isBytes, type Sink, writeAll } from "../../flow/internal.ts";
import { runIn, type Scope } from "../../switch/internal.ts";
import { encodeWith } from "./_request_head.ts";

/**
 * The body of a request: bytes, or their source. With a size, the source must have exactly that
 * many bytes; without one, the body is `chunked`.
 */
export type RequestBody =
  | Uint8Array
  | { readonly source: AsyncIterable<Uint8Array>; readonly size?: number | undefined };

/** The largest body that is sent in one write with the head, in bytes. */
const smallBody = 16 * 1024;

const lineEnd: Uint8Array = encode("\r\n");

/**
 * Returns the header line that frames `body`.
 *
 * @throws {RangeError} If its size is not a whole number.
 */
export function framingLine(body: RequestBody | null): string {
  if (body === null) return "";
  const size = isBytes(body) ? body.length : body.size;
  if (size === undefined) return "transfer-encoding: chunked\r\n";
  if (Number.isSafeInteger(size) && size >= 0) return `content-length: ${size}\r\n`;
  throw new RangeError(`Cannot send the request: the size of its body must be a whole number >= 0: ${describe(size)}`);
}

/** One request on its way out. */
export class Upload {
  readonly #sink: Sink;
  readonly #scope: Scope | undefined;
  /** Whether everything was taken by the connection. */
  done = false;
  /** Whether reading the body failed; the connection may still work. */
  sourceFailed = false;
  #stopped = false;
  #source: AsyncIterable<Uint8Array> | undefined;
  #iterator: AsyncIterator<Uint8Array> | undefined;

  /** What does not fit at once is written in `scope`. */
  constructor(sink: Sink, scope: Scope | undefined) {
    this.#sink = sink;
    this.#scope = scope;
  }

  /**
   * Sends a request: at once and in one write, if possible. Else it returns the promise of the
   * rest.
   */
  send(head: string, body: RequestBody | null): Promise<void> | undefined {
    if (body !== null && !isBytes(body)) this.#source = body.source;
    const whole = body === null || (isBytes(body) && body.length <= smallBody);
    if (!whole) return runIn(this.#scope, () => this.#sendAll(head, body));
    const memory = encodeWith(head, body ?? undefined);
    const taken = giveOwned(this.#sink, memory);
    if (taken !== memory.length) return runIn(this.#scope, () => this.#sendRest(memory, taken));
    this.done = true;
    return undefined;
  }

  /** Stops sending the body, and ends its source, even if nothing was read from it. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#source === undefined || this.done) return;
    try {
      Promise.resolve(this.#opened(this.#source).return?.()).catch(() => {});
    } catch {
      // The rest of the body is not needed, so an error of its source is ignored.
    }
  }

  async #sendRest(memory: Uint8Array, taken: number | Promise<number>): Promise<void> {
    await writeAll(this.#sink, memory.subarray(await taken));
    this.done = true;
  }

  async #sendAll(head: string, body: RequestBody): Promise<void> {
    const start = encodeWith(head, undefined);
    if (isBytes(body)) await writeAll(this.#sink, start, body);
    else {
      await writeAll(this.#sink, start);
      await this.#sendPieces(body.source, body.size);
    }
    if (!this.#stopped) this.done = true;
  }

  async #sendPieces(source: AsyncIterable<Uint8Array>, size: number | undefined): Promise<void> {
    let left = size ?? Infinity;
    for (let piece; !this.#stopped && (piece = await this.#next(source)) !== undefined;) {
      const { length } = piece;
      if (this.#stopped || length === 0) continue;
      left -= length;
      if (left < 0) throw this.#blame(new RangeError(`Cannot send the body: it has more than ${size} bytes`));
      if (size !== undefined) await writeAll(this.#sink, piece);
      else await writeAll(this.#sink, encode(`${length.toString(16)}\r\n`), piece, lineEnd);
    }
    if (this.#stopped) return;
    if (size === undefined) await writeAll(this.#sink, encode("0\r\n\r\n"));
    else if (left > 0) {
      throw this.#blame(new RangeError(`Cannot send the body: it ended ${left} bytes before its size`));
    }
  }

  async #next(source: AsyncIterable<Uint8Array>): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#opened(source).next();
      if (done) return undefined;
      if (!isBytes(value)) {
        throw new TypeError(`Cannot send ${describe(value)} as part of a body: must be a Uint8Array`);
      }
      return value;
    } catch (error) {
      throw this.#blame(error);
    }
  }

  #opened(source: AsyncIterable<Uint8Array>): AsyncIterator<Uint8Array> {
    return this.#iterator ??= source[Symbol.asyncIterator]();
  }

  #blame(error: unknown): unknown {
    this.sourceFailed = true;
    return error;
  }
}
