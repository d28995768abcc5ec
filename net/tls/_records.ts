// Copyright 2026 the Sluice authors. MIT license.

import { type Home, lendSome } from "../../flow/internal.ts";
import { cancellableSource, type TwoWay, writeAll } from "../../flow/mod.ts";
import { lend, type LendingSource } from "../../flow/internal.ts";
import { interruptible, yieldNow } from "../../switch/mod.ts";

/** The most that is held of what is yet to be decrypted, in bytes. */
const pieceSize = 64 * 1024;

/** Kind, version and size of a record (RFC 8446, section 5.1). */
const headerSize = 5;

/** What {@linkcode Records} tells. */
export interface RecordsEvents {
  /** Whether the next record is to be decrypted. */
  wantsPlaintext(): boolean;
  /** Whether the handshake is still going on. */
  handshaking(): boolean;
  /** Here is the next record, or a part of it. */
  record(bytes: Uint8Array<ArrayBuffer>): void;
  /** All that was encrypted has been passed on. */
  sent(): void;
  /** The flow has ended, and all that came before has been decrypted: `complete` says that no record was cut. */
  ended(complete: boolean): void;
  /** The flow is broken. */
  failed(operation: "read" | "write", error: unknown): void;
}

/**
 * The encrypted side of a connection, over a flow. What is written is kept here until the flow takes it, and records are decrypted one at a time, when somebody waits for
 * what is in them. That bounds the memory; and on Bun, which ends both directions when it decrypts a farewell, a server can answer whom it has not yet read to the end.
 */
export class Records {
  /** Where the encrypted bytes come from. Another source takes over what was read from it already. */
  source: LendingSource;
  readonly #flow: TwoWay;
  readonly #home: Home;
  readonly #events: RecordsEvents;
  #isReady = false;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #header: number[] = [];
  #left = 0;
  #reading = false;
  #over = false;
  #broken = false;
  #sending = false;
  #queue: Uint8Array[] = [];

  constructor(flow: TwoWay, home: Home, events: RecordsEvents) {
    this.#flow = flow;
    this.#home = home;
    this.#events = events;
    this.source = lendingSource(flow, home);
  }

  /** Whether all that was encrypted has been passed on, or never will be. */
  get idle(): boolean {
    return !this.#sending;
  }

  /** The next record, or a part of it, can be taken. */
  ready(): void {
    this.#isReady = true;
    this.pull();
  }

  /** Passes it on, if it can be taken and its plaintext is wanted. */
  pull(): void {
    if (!this.#isReady || !this.#events.wantsPlaintext()) return;
    if (this.#rest.length === 0) {
      if (!this.#reading && !this.#over) this.#read();
      return;
    }
    this.#isReady = false;
    const size = this.#sizeOfPart();
    const part = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    this.#events.record(part);
  }

  /** How much of the rest belongs to the record that it begins with. */
  #sizeOfPart(): number {
    let size = 0;
    if (this.#left === 0) {
      while (this.#header.length < headerSize && size < this.#rest.length) this.#header.push(this.#rest[size++]);
      if (this.#header.length < headerSize) return size;
      this.#left = this.#header[3] * 256 + this.#header[4];
      this.#header = [];
    }
    const part = Math.min(this.#left, this.#rest.length - size);
    this.#left -= part;
    return size + part;
  }

  async #read(): Promise<void> {
    this.#reading = true;
    const take = (bytes: Uint8Array<ArrayBuffer>, keep: boolean) => {
      const piece = bytes.subarray(0, pieceSize);
      this.#rest = keep ? piece : new Uint8Array(piece); // no slice(): that of a Buffer is no copy
      return piece.length;
    };
    try {
      const count = await this.#home.run(() => lendSome(this.source, take));
      if (count === null) {
        this.#over = true;
        await this.#home.run(yieldNow); // what was decrypted last is told in this turn
        this.#events.ended(this.#left === 0 && this.#header.length === 0);
      }
    } catch (error) {
      this.#over = true;
      this.#events.failed("read", error);
    }
    this.#reading = false;
    this.pull();
  }

  /** Sends what was encrypted, as soon as the flow takes it. */
  send(bytes: Uint8Array): void {
    if (this.#broken || bytes.length === 0) return;
    this.#queue.push(bytes);
    if (!this.#sending) this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    try {
      // Deno writes a flight of the handshake in pieces, the second of which TCP would keep until the other side tells, some 40 ms later, that it has the first.
      if (this.#events.handshaking()) await this.#home.run(yieldNow);
      while (this.#queue.length > 0) {
        const chunks = this.#queue;
        this.#queue = [];
        await this.#home.run(() => interruptible(writeAll(this.#flow, ...chunks))); // which a foreign flow may never end
      }
    } catch (error) {
      this.#broken = true;
      this.#queue = [];
      this.#events.failed("write", error);
    }
    this.#sending = false;
    this.#events.sent();
  }
}

/** The flow as a source whose reads can be cancelled, even where those of the flow cannot. */
function lendingSource(flow: TwoWay & Partial<LendingSource>, home: Home): LendingSource {
  return typeof flow[lend] === "function" ? flow as LendingSource : home.call(() => cancellableSource(flow));
}
