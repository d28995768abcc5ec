// Copyright 2026 the Sluice authors. MIT license.

import { type BridgeScope, lendOne } from "../../flow/internal.ts";
import { cancellableSource, type TwoWay, writeAll } from "../../flow/mod.ts";
import { lend, type LendingSource } from "../../flow/internal.ts";
import { interruptible, yieldNow } from "../../switch/mod.ts";

/** The most encrypted bytes that are buffered. */
const maxBuffered = 64 * 1024;

/** The size of a record's type, version and length (RFC 8446, section 5.1). */
const headerSize = 5;

/** The events of {@linkcode Records}. */
export interface RecordsEvents {
  /** Whether the next record should be decrypted. */
  wantsPlaintext(): boolean;
  /** Whether the handshake is in progress. */
  handshaking(): boolean;
  /** The next record, or a part of it, has arrived. */
  record(bytes: Uint8Array<ArrayBuffer>): void;
  /** All encrypted bytes have been written to the flow. */
  sent(): void;
  /** The flow has ended, after everything was decrypted. `complete`: no record was truncated. */
  ended(complete: boolean): void;
  /** The flow is broken. */
  failed(operation: "read" | "write", error: unknown): void;
}

/**
 * The encrypted side of a connection, over a flow. Encrypted bytes are queued until the flow takes
 * them. Records are decrypted one at a time, when their plaintext is needed: that bounds the
 * memory, and on Bun, which ends both directions on decrypting close_notify, a server can answer a
 * client whose input it has not read to the end.
 */
export class Records {
  /** The source of encrypted bytes; a replacement first returns the bytes already read. */
  source: LendingSource;
  readonly #flow: TwoWay;
  readonly #scope: BridgeScope;
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

  constructor(flow: TwoWay, scope: BridgeScope, events: RecordsEvents) {
    this.#flow = flow;
    this.#scope = scope;
    this.#events = events;
    this.source = lendingSource(flow, scope);
  }

  /** Whether no encrypted bytes are queued or being written. */
  get idle(): boolean {
    return !this.#sending;
  }

  /** How many encrypted bytes were not handed to the flow. */
  get unsent(): number {
    return this.#queue.reduce((sum, { length }) => sum + length, 0);
  }

  /** Called when the endpoint can take the next record or a part of it. */
  ready(): void {
    this.#isReady = true;
    this.pull();
  }

  /**
   * Passes on the next record, or a part of it, if the endpoint is ready and needs its plaintext.
   */
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

  /** Returns how many buffered bytes belong to the current record. */
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
      const taken = bytes.subarray(0, maxBuffered);
      // slice() does not copy a Buffer.
      this.#rest = keep ? taken : new Uint8Array(taken);
      return taken.length;
    };
    try {
      const count = await this.#scope.run(() => lendOne(this.source, take));
      if (count === null) {
        this.#over = true;
        await this.#scope.run(yieldNow); // lets the last plaintext arrive first
        this.#events.ended(this.#left === 0 && this.#header.length === 0);
      }
    } catch (error) {
      this.#over = true;
      this.#events.failed("read", error);
    }
    this.#reading = false;
    this.pull();
  }

  /** Sends encrypted bytes as soon as the flow takes them. */
  send(bytes: Uint8Array): void {
    if (this.#broken || bytes.length === 0) return;
    this.#queue.push(bytes);
    if (!this.#sending) this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    try {
      // Deno writes a handshake flight in several parts; TCP would hold back the second until the
      // first is acknowledged, about 40 ms later.
      if (this.#events.handshaking()) await this.#scope.run(yieldNow);
      while (this.#queue.length > 0) {
        const chunks = this.#queue;
        this.#queue = [];
        // A foreign flow may never settle.
        await this.#scope.run(() => interruptible(writeAll(this.#flow, ...chunks)));
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

/** Returns the flow as a source with cancellable reads, even if its own are not. */
function lendingSource(flow: TwoWay & Partial<LendingSource>, scope: BridgeScope): LendingSource {
  return typeof flow[lend] === "function" ? flow as LendingSource : scope.call(() => cancellableSource(flow));
}
