// Copyright 2026 the Sluice authors. MIT license.

/** Content codings (RFC 9110, section 8.4.1): gzip, deflate and br. */
import { macrotask } from "../../../switch/internal.ts";
import { NetError } from "../../internal.ts";
import { type BodySource, type Field, HttpError } from "../internal.ts";
import { type Decompressor, openZlib, type ZlibFormat } from "./_node_zlib.ts";

type Coding = "gzip" | "deflate" | "br";

/** The most codings of one body: curl's limit. */
const mostCodings = 5;

/** The largest piece that is decompressed at once. */
const largestPiece = 16 * 1024;

/** The value of `accept-encoding`. */
export const acceptedCodings = "gzip, deflate, br";

/**
 * Returns the codings of a body in the order in which they were applied; empty if there is none, or
 * one of them is unknown: then the body stays as it is.
 */
export function codingsOf(headers: readonly Field[]): readonly Coding[] {
  const codings: Coding[] = [];
  for (let i = 0; i < headers.length; i++) {
    const [name, value] = headers[i];
    if (name.length !== 16 || name.toLowerCase() !== "content-encoding") continue;
    for (const word of value.toLowerCase().split(",")) {
      const coding = word.trim();
      if (coding === "gzip" || coding === "x-gzip") codings.push("gzip");
      else if (coding === "deflate" || coding === "br") codings.push(coding);
      else if (coding !== "" && coding !== "identity") return [];
    }
  }
  if (codings.length > mostCodings) throw new HttpError(`it has more than ${mostCodings} content codings`);
  return codings;
}

/** Returns headers without those of the encoded body. */
export function decodedHeaders(headers: readonly Field[]): readonly Field[] {
  return headers.filter(([name]) => !/^content-(?:encoding|length)$/i.test(name));
}

/** Returns the content of an encoded body. */
export function decodeBody(body: BodySource | Uint8Array<ArrayBuffer>, codings: readonly Coding[]): BodySource {
  let source = body instanceof Uint8Array ? wholeBody(body) : body;
  for (const coding of codings.toReversed()) source = new DecodedBody(source, coding);
  return source;
}

function wholeBody(bytes: Uint8Array<ArrayBuffer>): BodySource {
  let left: Uint8Array<ArrayBuffer> | null = bytes;
  return {
    next: () => {
      const piece = left;
      left = null;
      return Promise.resolve(piece);
    },
    cancel: () => left = null,
  };
}

/** A body with one coding removed. It reads the encoded body only on demand. */
class DecodedBody implements BodySource {
  readonly #source: BodySource;
  readonly #coding: Coding;
  #decompressor: Decompressor | undefined;
  /** What failed while the encoded body was read. */
  #failure: { readonly error: unknown } | undefined;
  #begun = false;
  /** Whether a read waits for more of the encoded body. */
  #wanted = false;
  #want: (() => void) | undefined;

  constructor(source: BodySource, coding: Coding) {
    this.#source = source;
    this.#coding = coding;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | null> {
    if (!this.#begun) {
      this.#begun = true;
      const first = await this.#firstPiece();
      if (first === null) return null; // nothing, which needs no decoding
      this.#decompressor = open(this.#coding, first);
      this.#feed(this.#decompressor, first);
    }
    if (this.#decompressor === undefined) return null;
    this.#wanted = true;
    this.#want?.();
    let piece: Uint8Array<ArrayBuffer> | null = null;
    try {
      piece = await this.#decompressor.read();
    } catch (cause) {
      if (this.#failure === undefined) throw this.#invalid(this.#decompressor, cause);
    }
    if (this.#failure !== undefined && piece === null) throw this.#failure.error;
    this.#wanted = piece === null; // at the end, the rest of the encoded body is read to free its connection
    return piece;
  }

  /** Returns the error for content that cannot be decompressed. */
  #invalid({ truncated }: Decompressor, cause: unknown): Error {
    this.#source.cancel();
    const coding = this.#coding;
    if (!truncated) return new HttpError(`its content is not valid ${coding}`, cause);
    return new NetError("connection_reset", {
      operation: "decode",
      remedy: `the ${coding} content is truncated`,
      cause,
    });
  }

  cancel(): void {
    this.#source.cancel();
    this.#decompressor?.destroy();
  }

  /** Reads enough to tell the two kinds of deflate apart. */
  async #firstPiece(): Promise<Uint8Array<ArrayBuffer> | null> {
    const first = await this.#source.next();
    if (first === null || first.length > 1 || this.#coding !== "deflate") return first;
    const second = await this.#source.next();
    return second === null ? first : Uint8Array.of(...first, ...second);
  }

  /**
   * Reads the encoded body only while a read of the content waits: its time limit is that of a
   * read.
   */
  async #feed(decompressor: Decompressor, first: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      for (let piece: Uint8Array<ArrayBuffer> | null = first; piece !== null; piece = await this.#source.next()) {
        for (let at = 0; at < piece.length; at += largestPiece) {
          await decompressor.write(piece.subarray(at, at + largestPiece));
        }
        await new Promise<void>((resolve) => void macrotask(resolve)); // so that the output reaches the waiting read
        while (!this.#wanted) await new Promise<void>((resolve) => this.#want = resolve);
      }
      decompressor.end();
    } catch (error) {
      this.#failure = { error };
      decompressor.destroy();
    }
  }
}

function open(coding: Coding, first: Uint8Array): Decompressor {
  return openZlib(coding === "deflate" ? deflateFormat(first) : coding);
}

/**
 * Some servers send raw deflate (RFC 1951) instead of the zlib format (RFC 1950) that HTTP means.
 */
function deflateFormat(first: Uint8Array): ZlibFormat {
  const hasHeader = first.length > 1 && (first[0] & 15) === 8 && (first[0] * 256 + first[1]) % 31 === 0;
  return hasHeader ? "deflate" : "deflate-raw";
}
