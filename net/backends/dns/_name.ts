// Copyright 2026 the Sluice authors. MIT license.

/** Domain names in a DNS message, with compression: RFC 1035, sections 3.1 and 4.1.4. */

/** The longest label and name in bytes, without the zero byte that ends a name. */
const maxLabel = 63;
const maxName = 254;

/** The most consecutive compression pointers. */
const maxPointers = 16;

/** The most characters that the labels of a message, and the names built from them, may have. */
const maxText = 32 * 1024;

/** A label that needs no escapes. */
const plainLabel = /^[!-\-/-[\]-~]*$/;

/** A domain name, or the tail of one: a linked list of labels. */
export class DnsName {
  readonly #label: string;
  readonly #rest: DnsName | undefined;
  readonly #spend: (size: number) => void;
  #text: string | undefined;
  #lower: string | undefined;
  /** Its size in bytes, without compression and without the final zero byte. */
  readonly size: number;

  /**
   * Creates a name from its first label and the rest. `spend` is called with the length of each
   * text before it is built.
   */
  constructor(label: string, size: number, rest: DnsName | undefined, spend: (size: number) => void) {
    this.#label = label;
    this.#rest = rest;
    this.#spend = spend;
    this.size = size + (rest?.size ?? 0);
  }

  /** The labels joined by dots, with all but plain characters escaped (RFC 1035, section 5.1). */
  get text(): string {
    if (this.#text !== undefined) return this.#text;
    this.#spend(this.size);
    const labels = [this.#label];
    for (let part = this.#rest; part !== undefined; part = part.#rest) labels.push(part.#label);
    return this.#text = labels.join(".");
  }

  /** Reports whether the names are equal, ignoring case. */
  equals(other: DnsName): boolean {
    if (this === other) return true;
    return this.size === other.size && this.#lowerCase() === other.#lowerCase();
  }

  #lowerCase(): string {
    return this.#lower ??= this.text.toLowerCase();
  }
}

/**
 * Reads the names of one message. Each label is read once, however many pointers lead to it, and no
 * two labels overlap, so that the time is linear in the size of the message.
 */
export class NameReader {
  /** The offset after the name that was read last. */
  end = 0;
  readonly #view: DataView;
  /** The names already read, by offset. */
  readonly #known: Map<number, DnsName> = new Map();
  readonly #root: DnsName;
  #labelsLeft = maxText;
  #textLeft = maxText;
  /** The message as text, one character per byte. */
  #text: string | undefined;

  /** Creates a reader for the message in `view`. */
  constructor(view: DataView) {
    this.#view = view;
    this.#root = new DnsName("", 0, undefined, () => {});
  }

  /**
   * Moves {@linkcode NameReader.end} past a name without reading it.
   *
   * @param start The offset of the name.
   * @throws {RangeError} If the name is too long, or ends after its message.
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
   * Reads a name, and moves {@linkcode NameReader.end} past it. Pointers must lead backwards, each
   * before the previous one.
   *
   * @param start The offset of the name.
   * @throws {RangeError} If it is malformed, or the names of the message are too long in total.
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
        // After a pointer, the rest of the name may have been read before.
        if (pointers > 0) name = this.#known.get(at);
      }
    }
    for (let i = labels.length - 1; i >= 0; i--) name = this.#add(labels[i], name);
    return name;
  }

  /** Reads the label at an offset, and stores the name that begins with it. */
  #add(at: number, rest: DnsName): DnsName {
    const length = this.#view.getUint8(at);
    if (length + 1 + rest.size > maxName) throw new RangeError("A name is too long");
    const label = this.#readLabel(at + 1, length);
    this.#labelsLeft -= 4 * label.length - 3 * length; // escapes cost more
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

/** Returns one character per byte. */
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
