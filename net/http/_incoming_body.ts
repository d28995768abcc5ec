// Copyright 2026 the Sluice authors. MIT license.

/** The body of a message that has not arrived whole. */
export interface BodySource {
  /**
   * Waits for the next piece of the body, in memory that belongs to the caller; null at the end.
   * One call at a time. The wait belongs to no scope: {@linkcode BodySource.cancel} ends it.
   *
   * @throws What cut the body short.
   */
  next(): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * Declares that the rest is not wanted: closes the connection, unless the body has arrived whole.
   */
  cancel(): void;
}

/** The most that is buffered ahead of the reader, in bytes and in pieces. */
const mostBytes = 64 * 1024;
const mostPieces = 64;

/** The connection of a body, as the body sees it. */
export interface BodyOwner {
  /** A piece is waited for, or there is room again. */
  wanted(): void;
  /** The rest is not wanted. */
  cancelled(): void;
}

interface Reader {
  resolve(piece: Uint8Array<ArrayBuffer> | null): void;
  reject(error: unknown): void;
}

/**
 * The pieces of a body, between its connection and its reader. It accepts a few ahead, so that a
 * small body frees its connection even if no one reads it.
 */
export class IncomingBody implements BodySource {
  readonly #owner: BodyOwner;
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #size = 0;
  #over = false;
  #failure: { readonly error: unknown } | undefined;
  #reader: Reader | undefined;

  constructor(owner: BodyOwner) {
    this.#owner = owner;
  }

  /** Whether no more may be added before the next read. */
  get full(): boolean {
    return this.#size >= mostBytes || this.#pieces.length >= mostPieces;
  }

  /** Whether a reader waits. */
  get awaited(): boolean {
    return this.#reader !== undefined;
  }

  /** Adds a piece. */
  add(piece: Uint8Array<ArrayBuffer>): void {
    const reader = this.#reader;
    if (reader === undefined) {
      this.#pieces.push(piece);
      this.#size += piece.length;
    } else {
      this.#reader = undefined;
      reader.resolve(piece);
    }
  }

  /** Ends the body after what was added. */
  end(): void {
    this.#over = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
  }

  /** Fails the body after what was added. */
  fail(error: unknown): void {
    this.#over = true;
    this.#failure = { error };
    this.#reader?.reject(error);
    this.#reader = undefined;
  }

  next(): Promise<Uint8Array<ArrayBuffer> | null> {
    const { full } = this;
    const piece = this.#pieces.shift();
    if (piece !== undefined) {
      this.#size -= piece.length;
      if (full) this.#owner.wanted();
      return Promise.resolve(piece);
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#over) return Promise.resolve(null);
    if (this.#reader !== undefined) return Promise.reject(new TypeError("Cannot read the body: another read waits"));
    const promise = new Promise<Uint8Array<ArrayBuffer> | null>((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
    this.#owner.wanted();
    return promise;
  }

  cancel(): void {
    this.#pieces = [];
    this.#size = 0;
    if (!this.#over) this.#owner.cancelled();
  }
}
