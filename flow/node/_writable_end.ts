// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";
import type { Writable } from "node:stream";
import { joined, type StreamEvents, totalLength } from "../internal.ts";
import { ClosedError } from "../mod.ts";
import { copyOf, mostCopied, recycle } from "./_copies.ts";
import { ownCopy } from "./_private_copy.ts";

/** Queued behind a write, to be called back after it. */
const nothing: Buffer = Buffer.alloc(0);

/** The receiver of writability notifications. */
export type Writer = Pick<StreamEvents, "writable">;

/**
 * The sending half of a `StreamEnd` over a Node stream. It takes a write only if no older one is
 * queued.
 */
export class Outgoing {
  readonly #writable: Writable;
  readonly #writer: Writer;
  readonly #needsCallback: boolean;
  #busy = false;
  /** Whether the next write is expected to be complete when it returns, as the last one was. */
  #isSynchronous: boolean;
  #ending = false;
  /** Whether bytes were queued when the stream was ended, and may not have been passed on. */
  #endsBehindQueue = false;
  #failure: { readonly error: unknown } | undefined;
  /** Made by the first write, because many streams never write. */
  #onWritten: (() => void) | undefined;

  /**
   * Notifies `writer` when a write may be taken again, {@linkcode Outgoing.flushed} became true, or
   * the stream failed. Unless `needsCallback`, the stream is a socket of the system: its queue
   * length is reliable, and it releases the memory of a write before the callback. Other streams
   * may keep the memory, and on Bun the standard streams of this process and of its children report
   * a wrong queue length, so only their callback counts. That costs a turn per write.
   *
   * @param isSynchronous Whether the first write is expected to be complete when it returns.
   */
  constructor(writable: Writable, writer: Writer, needsCallback = false, isSynchronous = false) {
    this.#writable = writable;
    this.#writer = writer;
    this.#needsCallback = needsCallback;
    this.#isSynchronous = isSynchronous;
  }

  /** Sets the error that every later write throws. The first one counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#writer.writable();
  }

  write(bytes: Uint8Array): number {
    if (!this.#canWrite()) return 0;
    // The stream keeps what it takes, so it gets its own copy.
    const part = bytes.length > mostCopied ? bytes.subarray(0, mostCopied) : bytes;
    const size = part.length; // before a stream can detach it
    if (this.#needsCallback) {
      this.#put(ownCopy(part), this.#written);
      return size;
    }
    const copy = copyOf(part);
    const isSynchronous = this.#isSynchronous;
    this.#put(copy, isSynchronous ? undefined : this.#done(copy));
    this.#afterWrite(isSynchronous, copy);
    return size;
  }

  /**
   * Copies the memory unless it is `owned`: Node and Deno leave the system with a pointer to what
   * it has yet to take.
   */
  give(buffers: readonly Uint8Array[], owned = false): number {
    if (!owned && buffers.length === 1) return this.write(buffers[0]);
    if (!this.#canWrite()) return 0;
    if (!owned) return this.give([joined(buffers, mostCopied)], true);
    const last = buffers.length - 1;
    const size = totalLength(buffers); // before a stream can detach them
    if (last > 0) this.#writable.cork();
    const isSynchronous = this.#isSynchronous;
    for (let i = 0; i <= last; i++) this.#put(buffers[i], !isSynchronous && i === last ? this.#written : undefined);
    if (last > 0) this.#writable.uncork();
    if (!this.#needsCallback) this.#afterWrite(isSynchronous);
    return size;
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#endsBehindQueue = this.#busy || this.#writable.writableLength > 0;
    this.#writable.end((error?: Error | null) => {
      if (!error) this.#endsBehindQueue = false;
      this.#writer.writable();
    });
  }

  /** What broke the stream after its end, while bytes that were taken were still queued. */
  get lost(): { readonly error: unknown } | undefined {
    if (!this.#endsBehindQueue) return undefined;
    const { errored } = this.#writable; // set before the 'error' event, as the callbacks of writes may run earlier
    return this.#failure ?? (errored ? { error: errored } : undefined);
  }

  get flushed(): boolean {
    if (this.#writable.destroyed || this.#failure !== undefined) return true;
    return !this.#busy && this.#writable.writableLength === 0 && (!this.#ending || this.#writable.writableFinished);
  }

  /** How many bytes the stream has yet to pass on. */
  get unsent(): number {
    return this.#writable.writableLength;
  }

  /** Throws what broke the stream, if anything has. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { errored } = this.#writable;
    if (errored !== null && errored !== undefined) throw errored;
  }

  /**
   * Reports whether a write is taken: not while an older one is queued, nor by a destroyed stream.
   * A destroyed stream would drop the bytes and never be busy, so a loop of writes would starve its
   * 'error' event.
   */
  #canWrite(): boolean {
    this.check();
    if (this.#writable.writableEnded && !this.#ending) throw new ClosedError("write", "the stream was ended");
    return !this.#busy && !this.#writable.destroyed && this.#writable.writableLength === 0;
  }

  /**
   * Recycles `copy` when a socket has completed a write. A write that was expected to be
   * synchronous has no callback, which would cost a thirtieth of a round trip. If it is incomplete
   * after all, an empty write behind it gets the callback.
   */
  #afterWrite(isSynchronous: boolean, copy?: Buffer<ArrayBuffer>): void {
    this.#isSynchronous = this.#writable.writableLength === 0;
    if (!isSynchronous) return;
    if (!this.#isSynchronous) this.#put(nothing, this.#done(copy));
    else if (copy !== undefined) recycle(copy);
  }

  /** Returns the callback of a write. */
  #done(copy?: Buffer<ArrayBuffer>): (error?: Error | null) => void {
    if (copy === undefined) return this.#written;
    return (error) => {
      if (!error) recycle(copy); // after an error the system may still read it
      this.#written();
    };
  }

  #put(bytes: Uint8Array, onWritten?: (error?: Error | null) => void): void {
    this.#busy = this.#needsCallback; // before the callback, which may be synchronous
    try {
      this.#writable.write(bytes, onWritten);
    } catch (error) {
      this.fail(error); // Deno's standard streams throw where others emit an event
      throw error;
    }
  }

  get #written(): () => void {
    return this.#onWritten ??= () => {
      this.#busy = false;
      this.#writer.writable();
    };
  }
}
