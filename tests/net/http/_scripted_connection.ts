// Copyright 2026 the Sluice authors. MIT license.

import { label, Stream } from "../../../flow/internal.ts";
import { type Borrower, give, lend, type StreamEnd } from "../../../flow/provider.ts";
import { type Connection, type StreamAddress, tcp } from "../../../net/mod.ts";

/** A connection whose peer is the test: each piece is a read of its own, and arrives at once. */
export class ScriptedConnection implements Connection {
  readonly local: StreamAddress = tcp("127.0.0.1", 50001);
  readonly peer: StreamAddress = tcp("127.0.0.1", 50002);
  readonly [label] = "scripted";
  closed = false;
  /** Whether it was closed without regard for what was written. */
  aborted = false;
  /** Whether writes wait. */
  blocked = false;
  /** The error of further writes. */
  broken: Error | undefined;
  /** What was written: one piece for each write. */
  readonly written: Uint8Array[] = [];
  readonly #pieces: (Uint8Array<ArrayBuffer> | null)[] = [];
  readonly #stream: Stream;

  constructor() {
    const take = (bytes: Uint8Array): number => {
      if (this.broken !== undefined) throw this.broken;
      if (this.blocked) return 0;
      this.written.push(bytes.slice());
      return bytes.length;
    };
    const end: StreamEnd = {
      peek: () => this.#pieces[0],
      consume: (size) => {
        const piece = this.#pieces.shift() as Uint8Array<ArrayBuffer>;
        if (size < piece.length) this.#pieces.unshift(piece.subarray(size));
      },
      write: take,
      give: ([bytes]) => take(bytes),
      end: () => {},
      drop: () => {},
      flushed: true,
    };
    this.#stream = new Stream(end, { label: "scripted", failure: (_, error) => error });
  }

  /** How many pieces were not taken yet. */
  get waiting(): number {
    return this.#pieces.length;
  }

  /** What was written, as text. */
  get text(): string {
    return this.written.map((bytes) => String.fromCharCode(...bytes)).join("");
  }

  /** The peer sends a piece; null is its end. */
  receive(piece: Uint8Array<ArrayBuffer> | null): void {
    this.#pieces.push(piece);
    this.#stream.readable();
  }

  /** Lets writes through that waited, or fails them. */
  unblock(broken?: Error): void {
    this.blocked = false;
    this.broken = broken;
    this.#stream.writable();
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#stream.read(buffer);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#stream.write(bytes);
  }

  [lend](use: Borrower): Promise<number | null> {
    return this.#stream.lend(use);
  }

  [give](buffers: readonly Uint8Array[]): number | Promise<number> {
    return this.#stream.give(buffers);
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.closed = true;
    this.#stream.close();
    return Promise.resolve();
  }

  abort(reason?: unknown): void {
    if (!this.closed) this.aborted = true;
    this.closed = true;
    this.#stream.close(undefined, { cause: reason });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
