// Copyright 2026 the Sluice authors. MIT license.

import type { Buffer } from "node:buffer";
import { joined } from "../../../flow/internal.ts";
import { copyOf, mostCopied, recycle } from "../../../flow/node/internal.ts";
import type { DenoConn } from "./_api.ts";

/** What a {@linkcode DenoOutput} notifies. */
interface Sender {
  /** Bytes are taken again, or everything has been passed on, or sending has failed. */
  writable(): void;
}

/**
 * The sending half of a connection of Deno. One write at a time is with the system: a copy, because
 * Deno tells only later whether it was complete.
 */
export class DenoOutput {
  readonly #conn: DenoConn;
  readonly #sender: Sender;
  // Not an async function: its frame for each write would cost more.
  readonly #onSent = (sent: number): void => this.#continue(sent);
  readonly #onFailed = (error: unknown): void => {
    this.fail(error);
    this.#finish();
  };
  /** What is with the system. */
  #bytes: Uint8Array | undefined;
  /** The same, if it is to be recycled. */
  #copy: Buffer<ArrayBuffer> | undefined;
  #unsent = 0;
  /** Whether a caller waits until the write is over; most often none does. */
  #isAwaited = false;
  /** Whether {@linkcode DenoOutput.end} was called. */
  #willEnd = false;
  /** Whether Deno shuts sending down. */
  #isEnding = false;
  #ended = false;
  /** Whether bytes were with the system when the stream was ended. */
  #endsBehindQueue = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(conn: DenoConn, sender: Sender) {
    this.#conn = conn;
    this.#sender = sender;
  }

  /** How many bytes the system has yet to take. */
  get unsent(): number {
    return this.#unsent;
  }

  /** Whether Deno works on a write or on the end. */
  get busy(): boolean {
    return this.#unsent > 0 || this.#isEnding;
  }

  /** Whether everything was passed on, or sending has failed. */
  get flushed(): boolean {
    const flushed = this.over || !this.busy;
    if (!flushed) this.#isAwaited = true;
    return flushed;
  }

  /** Whether sending is over: the end was passed on, or sending has failed. */
  get over(): boolean {
    return this.#ended || this.#failure !== undefined;
  }

  /** What broke sending. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** What broke sending after its end, while bytes were with the system. */
  get lost(): { readonly error: unknown } | undefined {
    return this.#endsBehindQueue ? this.#failure : undefined;
  }

  /** Fails later writes. The first error counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  write(bytes: Uint8Array): number {
    if (!this.#canWrite()) return 0;
    this.#copy = copyOf(bytes.length > mostCopied ? bytes.subarray(0, mostCopied) : bytes);
    return this.#begin(this.#copy);
  }

  give(buffers: readonly Uint8Array[], owned: boolean): number {
    if (!owned && buffers.length === 1) return this.write(buffers[0]);
    if (!this.#canWrite()) return 0;
    return this.#begin(buffers.length === 1 ? buffers[0] : joined(buffers, mostCopied));
  }

  end(): void {
    if (this.#willEnd) return;
    this.#willEnd = true;
    this.#endsBehindQueue = this.#unsent > 0;
    if (this.#unsent === 0 && this.#failure === undefined) this.#shutDown();
  }

  #canWrite(): boolean {
    if (this.#failure !== undefined) throw this.#failure.error;
    const isFree = this.#unsent === 0 && !this.#willEnd;
    if (!isFree) this.#isAwaited = true;
    return isFree;
  }

  #begin(bytes: Uint8Array): number {
    this.#bytes = bytes;
    this.#unsent = bytes.length;
    this.#conn.write(bytes).then(this.#onSent, this.#onFailed);
    return bytes.length;
  }

  #continue(sent: number): void {
    const bytes = this.#bytes as Uint8Array;
    this.#unsent -= sent;
    if (this.#unsent > 0) {
      this.#conn.write(bytes.subarray(bytes.length - this.#unsent)).then(this.#onSent, this.#onFailed);
      return;
    }
    if (this.#copy !== undefined) recycle(this.#copy);
    this.#finish();
  }

  /** The write is over: the system has taken everything, or has failed. */
  #finish(): void {
    this.#bytes = this.#copy = undefined;
    this.#unsent = 0;
    if (this.#willEnd && this.#failure === undefined) this.#shutDown();
    else if (this.#isAwaited || this.#failure !== undefined) this.#notify();
  }

  #notify(): void {
    this.#isAwaited = false;
    this.#sender.writable();
  }

  async #shutDown(): Promise<void> {
    this.#isEnding = true;
    try {
      await this.#conn.closeWrite();
      this.#endsBehindQueue = false;
    } catch (error) {
      this.fail(error);
    }
    this.#isEnding = false;
    this.#ended = true;
    this.#notify();
  }
}
