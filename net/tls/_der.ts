// Copyright 2026 the Sluice authors. MIT license.

/** A reader of DER (X.690), the binary encoding of certificates. */

/** An element. */
export interface DerElement {
  /** Its identifier octet: class, constructed bit and tag number. */
  readonly tag: number;
  readonly content: Uint8Array;
}

export const sequenceTag = 0x30;
export const setTag = 0x31;
export const oidTag = 0x06;
export const octetsTag = 0x04;
export const booleanTag = 0x01;

/** A sequential reader of elements. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether all elements have been read. */
  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** Returns the tag of the next element; `undefined` at the end. */
  peekTag(): number | undefined {
    return this.#bytes[this.#at];
  }

  /**
   * Reads the next element.
   *
   * @param expected The required tag, if any.
   * @throws {SyntaxError} If there is none, it is truncated, or has another tag.
   */
  next(expected?: number): DerElement {
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new SyntaxError("Cannot read DER: a tag has several bytes");
    if (expected !== undefined && tag !== expected) {
      throw new SyntaxError(`Cannot read DER: the tag is ${tag} instead of ${expected}`);
    }
    const size = this.#length();
    const end = this.#at + size;
    if (end > this.#bytes.length) throw new SyntaxError("Cannot read DER: an element is truncated");
    const content = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return { tag, content };
  }

  /** Reads the next element, and returns a reader of its content. */
  inside(tag: number): DerReader {
    return new DerReader(this.next(tag).content);
  }

  #byte(): number {
    if (this.atEnd) throw new SyntaxError("Cannot read DER: an element is missing");
    return this.#bytes[this.#at++];
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    if (first === 0x80 || first > 0x84) throw new SyntaxError("Cannot read DER: a length is not in short or long form");
    let size = 0;
    for (let left = first & 0x7f; left > 0; left--) size = size * 256 + this.#byte();
    return size;
  }
}

/** Returns an object identifier in dotted form. */
export function oidText(content: Uint8Array): string {
  const parts: bigint[] = [];
  let part = 0n;
  for (const byte of content) {
    part = part << 7n | BigInt(byte & 0x7f);
    if (part >= 1n << 128n) throw new SyntaxError("Cannot read DER: an object identifier is too long");
    if (byte >= 0x80) continue;
    if (parts.length > 0) parts.push(part);
    else {
      const first = part < 80n ? part / 40n : 2n;
      parts.push(first, part - first * 40n);
    }
    part = 0n;
  }
  return parts.join(".");
}
