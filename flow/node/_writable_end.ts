// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";
import type { Writable } from "node:stream";
import { joined, type StreamEvents, writeLimit } from "../internal.ts";
import { ClosedError } from "../mod.ts";
import { ownCopy, privateCopy } from "./_private_copy.ts";

/**
 * Large copies for sockets are made in memory that is used again, for making it costs as much as the copy: 0.8 of the time of a loop that reads and
 * writes 64 KiB (Node; Bun 0.9).
 */
const pool: Buffer[] = [];
const poolLimit = 16;
const leastPooled = 8 * 1024;

/** What is queued behind a write to learn of its end. */
const nothing: Buffer = Buffer.alloc(0);

/** The receiver of writability notifications. */
export type Writer = Pick<StreamEvents, "writable">;

/** The sending half of a `StreamEnd` over a Node stream. It takes a write only when nothing older is queued. */
export class Outgoing {
  readonly #writable: Writable;
  readonly #writer: Writer;
  readonly #patient: boolean;
  #busy = false;
  /** Whether a socket was done with the last write when that returned, as it will be with the next. Not with the first: Deno queues that of an accepted connection. */
  #prompt = false;
  #ending = false;
  /** Whether something was queued when the stream was ended, and is not known to have been passed on. */
  #behindQueue = false;
  #failure: { readonly error: unknown } | undefined;
  /** Made by the first write, for many never write. */
  #onWritten: (() => void) | undefined;

  /**
   * `writer` is told whenever a write may be taken again, or {@linkcode Outgoing.flushed} became true, or an error came.
   * Unless `patient`, the stream is a socket of the system: it is believed when it says that nothing is queued, and has done with the memory of a write when
   * it calls back. Other streams may keep it; and on Bun the standard streams of this process and of its children are not to be believed, so that only their
   * call back tells. That costs a turn for each write.
   */
  constructor(writable: Writable, writer: Writer, patient = false) {
    this.#writable = writable;
    this.#writer = writer;
    this.#patient = patient;
  }

  /** What every later write throws. The first one counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#writer.writable();
  }

  write(bytes: Uint8Array): number {
    if (!this.#free()) return 0;
    // Nothing takes back what the stream was given, so it gets memory of its own.
    const part = bytes.length > writeLimit ? bytes.subarray(0, writeLimit) : bytes;
    const size = part.length; // now, for a stream may detach what it is given
    if (this.#patient) {
      this.#put(ownCopy(part), this.#written);
      return size;
    }
    const memory = size < leastPooled ? undefined : pool.pop() ?? Buffer.allocUnsafeSlow(writeLimit);
    memory?.set(part);
    const prompt = this.#prompt;
    this.#put(memory?.subarray(0, size) ?? privateCopy(part), prompt ? undefined : this.#done(memory));
    this.#watch(prompt, memory);
    return size;
  }

  /** Unless the memory is `owned`, it is copied: both Node and Deno leave the system with a pointer to what it has yet to take. */
  give(buffers: readonly Uint8Array[], owned = false): number {
    if (!owned && buffers.length === 1) return this.write(buffers[0]);
    if (!this.#free()) return 0;
    if (!owned) return this.give([joined(buffers, writeLimit)], true);
    const last = buffers.length - 1;
    const size = buffers.reduce((sum, { length }) => sum + length, 0); // now, for a stream may detach what it is given
    if (last > 0) this.#writable.cork();
    const prompt = this.#prompt;
    buffers.forEach((bytes, i) => this.#put(bytes, !prompt && i === last ? this.#written : undefined));
    if (last > 0) this.#writable.uncork();
    if (!this.#patient) this.#watch(prompt);
    return size;
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#behindQueue = this.#busy || this.#writable.writableLength > 0;
    this.#writable.end((error?: Error | null) => {
      if (!error) this.#behindQueue = false;
      this.#writer.writable();
    });
  }

  /** What broke the stream after its end, while something taken was still queued. */
  get lost(): { readonly error: unknown } | undefined {
    if (!this.#behindQueue) return undefined;
    const { errored } = this.#writable; // there before the event that tells, as the callbacks of writes may be
    return this.#failure ?? (errored ? { error: errored } : undefined);
  }

  get flushed(): boolean {
    if (this.#writable.destroyed || this.#failure !== undefined) return true;
    return !this.#busy && this.#writable.writableLength === 0 && (!this.#ending || this.#writable.writableFinished);
  }

  /** Throws what broke the stream, if anything has. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { errored } = this.#writable;
    if (errored !== null && errored !== undefined) throw errored;
  }

  /**
   * Whether nothing older is queued. A broken stream drops what it is given and is never busy, while the event that tells why has yet to come: a loop
   * of writes would go on for ever, and keep the event from coming.
   */
  #free(): boolean {
    this.check();
    if (this.#writable.writableEnded && !this.#ending) throw new ClosedError("write", "the stream was ended");
    return !this.#busy && !this.#writable.destroyed && this.#writable.writableLength === 0;
  }

  /**
   * Learns when a socket is done with what was written, and with the pool's `memory` for it. One that is `prompt` got no call back, and nearly always it is
   * done already: a call back for each write would be a thirtieth of a round trip.
   */
  #watch(prompt: boolean, memory?: Buffer): void {
    this.#prompt = this.#writable.writableLength === 0;
    if (!prompt) return;
    if (this.#prompt) recycle(memory);
    else this.#put(nothing, this.#done(memory));
  }

  /** What is called back after a write. */
  #done(memory?: Buffer): (error?: Error | null) => void {
    if (memory === undefined) return this.#written;
    return (error) => {
      if (!error) recycle(memory); // after an error the system may be reading it still
      this.#written();
    };
  }

  #put(bytes: Uint8Array, onWritten?: (error?: Error | null) => void): void {
    this.#busy = this.#patient; // now, for the call back may come at once
    try {
      this.#writable.write(bytes, onWritten);
    } catch (error) {
      this.fail(error); // Deno's standard streams throw what others tell by an event
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

function recycle(memory: Buffer | undefined): void {
  if (memory !== undefined && pool.length < poolLimit) pool.push(memory);
}
