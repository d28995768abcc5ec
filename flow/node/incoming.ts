// Copyright 2026 the Sluice authors. MIT license.

import type { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers";
import type { StreamEvents } from "../stream_end.ts";

/** How many bytes that nobody has read are kept before the stream is paused. */
const receiveLimit = 64 * 1024;

/** And how many pieces, for each costs memory beside its bytes: a peer that sends single bytes must not cost a hundred times what it sends. */
const pieceLimit = 128;

/** When what has arrived counts as read. The first turn may be over before any input is looked for. */
const quietTurns = 2;
const mostTurns = 50;

/** Whom a half tells that there is something new. */
export type Reader = Pick<StreamEvents, "readable">;

/** The receiving half of a `StreamEnd` over a Node stream: one persistent listener and a bounded buffer of our own. */
export class Incoming {
  readonly #readable: Readable;
  #reader: Reader | undefined;
  #stop: (() => void) | undefined;
  /** The first piece that nobody has read; and the others, for most often there are none. */
  #piece: Uint8Array<ArrayBuffer> | undefined;
  #later: Uint8Array<ArrayBuffer>[] | undefined;
  #size = 0;
  #received = 0;
  #paused = false;
  #ended = false;
  #dropping = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(readable: Readable) {
    this.#readable = readable;
  }

  /** Whether the other side has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether something has arrived that nobody has read. */
  get unread(): boolean {
    return this.#size > 0;
  }

  /** Begins to read, and tells `reader` whenever {@linkcode Incoming.peek} has something new to say. */
  start(reader: Reader): void {
    const take = (chunk: Buffer<ArrayBuffer>) => this.take(chunk);
    const finish = () => this.finish();
    this.#readable.on("data", take).on("end", finish);
    this.#stop = () => this.#readable.off("data", take).off("end", finish).pause();
    this.attach(reader);
  }

  /** The same without listeners: whoever has some calls {@linkcode Incoming.take} and {@linkcode Incoming.finish}. */
  attach(reader: Reader): void {
    this.#reader = reader;
    if (this.#readable.readableEnded) this.finish();
    else this.#readable.resume();
  }

  /** Takes the listeners away again. What has arrived stays here. */
  stop(): void {
    this.#stop?.();
  }

  /** Takes what has arrived. */
  take(chunk: Buffer<ArrayBuffer>): void {
    if (!((chunk as unknown) instanceof Uint8Array)) {
      this.stop();
      return this.fail(new TypeError(`Cannot read from a stream of ${typeof chunk}s: it must give bytes`));
    }
    this.#received += chunk.length;
    if (this.#dropping || chunk.length === 0) return;
    if (this.#piece === undefined) this.#piece = chunk;
    else (this.#later ??= []).push(chunk);
    this.#size += chunk.length;
    this.#reader?.readable();
    if (this.#paused || !this.#holds(receiveLimit, pieceLimit)) return;
    this.#paused = true;
    this.#readable.pause();
  }

  /** The other side has ended. */
  finish(): void {
    this.#ended = true;
    this.#reader?.readable();
  }

  /**
   * Waits until what the system has received is read, as far as can be told: until some turns have brought nothing, or
   * there were too many. For a socket that is closed with unread input is reset, and the other side may lose what it was
   * sent before.
   */
  async settled(): Promise<void> {
    for (let turn = 0, quiet = 0; turn < mostTurns && quiet < quietTurns && !this.#ended; turn++) {
      const before = this.#received;
      await new Promise((resolve) => setTimeout(resolve, 1)); // a turn without time is too short on Deno
      quiet = this.#received === before ? quiet + 1 : 0;
    }
  }

  /** What is thrown once everything that arrived before is consumed. The first one counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#reader?.readable();
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    if (this.#piece !== undefined) return this.#piece;
    if (this.#ended) return null;
    if (this.#failure !== undefined) throw this.#failure.error;
    return undefined;
  }

  /** Whether more has arrived. */
  consume(size: number): boolean {
    const piece = this.#piece as Uint8Array<ArrayBuffer>;
    this.#piece = size === piece.length ? this.#later?.shift() : piece.subarray(size);
    this.#size -= size;
    if (this.#paused && !this.#holds(receiveLimit / 2, pieceLimit / 2)) {
      this.#paused = false;
      this.#readable.resume();
    }
    return this.#piece !== undefined;
  }

  drop(): void {
    this.#dropping = true;
    this.#piece = this.#later = undefined;
    this.#size = 0;
    this.#paused = false;
    this.#readable.resume();
  }

  /** Whether as much as that is here, or as many pieces. */
  #holds(bytes: number, pieces: number): boolean {
    return this.#size >= bytes || (this.#later !== undefined && this.#later.length + 1 >= pieces);
  }
}
