// Copyright 2026 the Sluice authors. MIT license.

/** The names in a DNS message: RFC 1035, sections 3.1 and 4.1.4. */

/** The longest label and the longest name, in bytes; the byte that ends a name does not count. */
const maxLabel = 63;
const maxName = 254;

/** How many pointers may follow each other before a label comes. */
const maxPointers = 16;

/** The most characters that the labels of one message have together, and that the names made of them have. */
const maxText = 32 * 1024;

/** A label of bytes that stand for themselves. */
const plainLabel = /^[!-\-/-[\]-~]*$/;

/** A name, or what follows one of its labels. */
export class DnsName {
  readonly #label: string;
  readonly #rest: DnsName | undefined;
  readonly #spend: (size: number) => void;
  #text: string | undefined;
  #lower: string | undefined;
  /** How many bytes it takes, without pointers and without the last byte. */
  readonly size: number;

  /** Makes a name of a label and what follows it. `spend` is told how long a text will be. */
  constructor(label: string, size: number, rest: DnsName | undefined, spend: (size: number) => void) {
    this.#label = label;
    this.#rest = rest;
    this.#spend = spend;
    this.size = size + (rest?.size ?? 0);
  }

  /** Its labels with a dot between them, where any byte but a plain character is escaped (RFC 1035, section 5.1). */
  get text(): string {
    if (this.#text !== undefined) return this.#text;
    this.#spend(this.size);
    const labels = [this.#label];
    for (let part = this.#rest; part !== undefined; part = part.#rest) labels.push(part.#label);
    return this.#text = labels.join(".");
  }

  /** Whether it is the same name, in whatever case. */
  equals(other: DnsName): boolean {
    if (this === other) return true;
    return this.size === other.size && this.#lowerCase() === other.#lowerCase();
  }

  #lowerCase(): string {
    return this.#lower ??= this.text.toLowerCase();
  }
}

/**
 * Reads the names of one message. A label is read once, however many pointers lead to it, and no
 * byte is a part of two, so that a message takes time in proportion to its size.
 */
export class NameReader {
  /** Where what follows the name that was read last begins. */
  end = 0;
  readonly #view: DataView;
  /** The names that begin at a place of the message. */
  readonly #known: Map<number, DnsName> = new Map();
  readonly #root: DnsName;
  #labelsLeft = maxText;
  #textLeft = maxText;
  /** The message with a character for each byte. */
  #text: string | undefined;

  /** Reads the names of the message in `view`. */
  constructor(view: DataView) {
    this.#view = view;
    this.#root = new DnsName("", 0, undefined, () => {});
  }

  /**
   * Moves {@linkcode NameReader.end} behind a name, without reading it.
   *
   * @param start Where it begins.
   */
  skip(start: number): void {
    for (let at = start;;) {
      const length = this.#view.getUint8(at);
      at += 1 + length;
      if (length === 0) return void (this.end = at);
      if (length >= 0xc0) return void (this.end = at - length + 1);
      if (length > maxLabel || at - start > maxName) throw new RangeError("A name is too long");
    }
  }

  /**
   * Reads a name, whose pointers may only lead backwards, each further than the one before. What
   * follows it begins at {@linkcode NameReader.end}.
   *
   * @param start Where it begins.
   * @throws {RangeError} If it is malformed, or the names of the message are too long.
   */
  read(start: number): DnsName {
    const labels: number[] = [];
    let name: DnsName | undefined;
    let pointers = 0;
    for (let at = start, limit = start; name === undefined;) {
      const length = this.#view.getUint8(at);
      if (length >= 0xc0) {
        if (pointers++ === 0) this.end = at + 2;
        at = this.#view.getUint16(at) & 0x3fff;
        if (at >= limit) throw new RangeError("A name points forwards");
        if (pointers > maxPointers) throw new RangeError("A name has too many pointers");
        limit = at;
        name = this.#known.get(at);
      } else if (length === 0) {
        if (pointers === 0) this.end = at + 1;
        name = this.#root;
      } else {
        if (length > maxLabel || labels.length > maxName / 2) throw new RangeError("A name is too long");
        labels.push(at);
        at += length + 1;
        // Where a pointer led here, what was read before need not be read again.
        if (pointers > 0) name = this.#known.get(at);
      }
    }
    for (let i = labels.length - 1; i >= 0; i--) name = this.#add(labels[i], name);
    return name;
  }

  /** Reads the label at a place, and remembers the name that begins with it. */
  #add(at: number, rest: DnsName): DnsName {
    const length = this.#view.getUint8(at);
    if (length + 1 + rest.size > maxName) throw new RangeError("A name is too long");
    const label = this.#readLabel(at + 1, length);
    this.#labelsLeft -= 4 * label.length - 3 * length; // to escape a byte takes time
    if (this.#labelsLeft < 0) throw new RangeError("The names of a message are too long");
    const name = new DnsName(label, length + 1, rest === this.#root ? undefined : rest, this.#spend);
    this.#known.set(at, name);
    return name;
  }

  readonly #spend = (size: number): void => {
    this.#textLeft -= size;
    if (this.#textLeft < 0) throw new RangeError("The names of a message are too long");
  };

  #readLabel(start: number, size: number): string {
    if (start + size > this.#view.byteLength) throw new RangeError("A name ends after its message");
    this.#text ??= characters(this.#view);
    const label = this.#text.slice(start, start + size);
    return plainLabel.test(label) ? label : label.replaceAll(/[^!-[\]-~]|\./gs, escaped);
  }
}

/** A character for each byte. */
function characters({ buffer, byteOffset, byteLength }: DataView): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode.apply(undefined, bytes.subarray(at, at + 4096) as unknown as number[]);
  }
  return text;
}

function escaped(character: string): string {
  if (character === "." || character === "\\") return "\\" + character;
  return "\\" + String(1000 + character.charCodeAt(0)).slice(1);
}
