// Copyright 2026 the Sluice authors. MIT license.

import { joined, writeLimit } from "../../../flow/internal.ts";
import { recycle, systemCopy } from "../../../flow/node/internal.ts";
import type { DenoConn } from "./_api.ts";

/** What an {@linkcode Output} notifies. */
interface Sender {
  /** Bytes are taken again, or everything has been passed on, or sending has failed. */
  writable(): void;
}

/**
 * The sending half of a connection of Deno. One write at a time is with the system: a copy, because
 * Deno tells only later whether it was complete.
 */
export class Output {
  readonly #conn: DenoConn;
  readonly #sender: Sender;
  #unsent = 0;
  /** Whether {@linkcode Output.end} was called. */
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
    const copy = systemCopy(bytes.length > writeLimit ? bytes.subarray(0, writeLimit) : bytes);
    const size = copy.length;
    this.#send(copy, true);
    return size;
  }

  give(buffers: readonly Uint8Array[], owned: boolean): number {
    if (!owned && buffers.length === 1) return this.write(buffers[0]);
    if (!this.#canWrite()) return 0;
    const bytes = buffers.length === 1 ? buffers[0] : joined(buffers, writeLimit);
    const size = bytes.length;
    this.#send(bytes, false);
    return size;
  }

  end(): void {
    if (this.#willEnd) return;
    this.#willEnd = true;
    this.#endsBehindQueue = this.#unsent > 0;
    if (this.#unsent === 0 && this.#failure === undefined) this.#shutDown();
  }

  #canWrite(): boolean {
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#unsent === 0 && !this.#willEnd;
  }

  async #send(bytes: Uint8Array, isCopy: boolean): Promise<void> {
    this.#unsent = bytes.length;
    try {
      let sent = await this.#conn.write(bytes);
      while ((this.#unsent = bytes.length - sent) > 0) sent += await this.#conn.write(bytes.subarray(sent));
      if (isCopy) recycle(bytes as Uint8Array<ArrayBuffer>);
    } catch (error) {
      this.fail(error);
    }
    this.#unsent = 0;
    if (this.#willEnd && this.#failure === undefined) this.#shutDown();
    else this.#sender.writable();
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
    this.#sender.writable();
  }
}
