// Copyright 2026 the Sluice authors. MIT license.

import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Home } from "../../flow/home.ts";
import { BrokenPipeError, type Closable, type TwoWay } from "../../flow/mod.ts";
import { Incoming } from "../../flow/node/incoming.ts";
import { type StreamEnd, type StreamEvents, writeLimit } from "../../flow/stream_end.ts";
import { TlsError, tlsErrorFrom } from "./errors.ts";
import { Records } from "./records.ts";

/** A flow as far as it can be given back. */
export interface WrappedFlow extends TwoWay, Partial<Closable> {
  abort?(): void;
}

/** What a handshake tells. */
export interface HandshakeEvents {
  /** It is done, and the other side is who it should be. Called in the turn in which that is known, before any plaintext is lost. */
  secured(socket: TLSSocket): void;
  /** It failed. */
  failed(error: unknown): void;
}

/** Begins a handshake of `node:tls` over a stream, and gives what gives it up. */
export type Begin = (stream: Duplex, events: HandshakeEvents) => () => void;

/** One end of a TLS connection that never waits, over a flow. */
export class Session implements StreamEnd {
  readonly records: Records;
  readonly #flow: WrappedFlow;
  readonly #home: Home;
  #events: StreamEvents = { readable: () => {}, writable: () => {} };
  #onFailure: (error: unknown) => void = () => {};
  #giveUp: () => void = () => {};
  #socket: TLSSocket | undefined;
  #incoming: Incoming | undefined;
  /** What every write throws. */
  #sendFailure: { readonly error: unknown } | undefined;
  /** Somebody waits for what the next record has in it, or it will be dropped. */
  #hungry = false;
  #dropping = false;
  #ending = false;
  #freed: Promise<void> | undefined;

  constructor(flow: WrappedFlow, home: Home) {
    this.#flow = flow;
    this.#home = home;
    this.records = new Records(flow, home, {
      hungry: () => this.#incoming === undefined || this.#hungry,
      shaking: () => this.#socket === undefined,
      sent: () => this.#events.writable(),
      ended: () => this.#failReading(new TlsError("truncated", this.#socket === undefined ? "start TLS" : "read")),
      finished: () => {
        // On Bun, when the other side has ended: it ends both directions then. In a handshake the error follows.
        if (this.#socket !== undefined && !this.#ending) this.#failWriting(new BrokenPipeError("write"));
      },
      failed: (operation, error) => operation === "read" ? this.#failReading(error) : this.#failWriting(error),
    });
  }

  /** Tells whom to call. */
  attach(events: StreamEvents): void {
    this.#events = events;
  }

  /** Performs the handshake. */
  handshake(begin: Begin): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      this.#onFailure = reject;
      this.#giveUp = begin(this.records.stream, {
        secured: (socket) => {
          this.#secured(socket);
          resolve(socket);
        },
        failed: reject,
      });
    });
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    const bytes = this.#incoming?.peek();
    if (bytes === undefined && !this.#hungry) {
      this.#hungry = true;
      this.records.pull();
      return this.#incoming?.peek();
    }
    return bytes;
  }

  consume(size: number): boolean {
    return this.#incoming?.consume(size) ?? false;
  }

  drop(): void {
    this.#incoming?.drop();
    this.#dropping = this.#hungry = true;
    this.records.pull();
  }

  write(bytes: Uint8Array): number {
    return this.#put(bytes.subarray(0, writeLimit), true);
  }

  give(buffers: readonly Uint8Array[]): number {
    return this.#put(buffers[0].subarray(0, writeLimit), false);
  }

  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#socket?.end(() => this.#events.writable());
  }

  get flushed(): boolean {
    if (this.#sendFailure !== undefined || this.#freed !== undefined) return true;
    if (this.#socket === undefined || this.#socket.destroyed) return this.records.idle;
    return this.#queued === 0 && (!this.#ending || this.#socket.writableFinished);
  }

  /** Gives everything back: by a reset, where `abort` says so and the flow can, or else by closing the flow. Settles when that is done. */
  free(abort: boolean): Promise<void> {
    return this.#freed ??= this.#free(abort);
  }

  async #free(abort: boolean): Promise<void> {
    this.#failWriting(new BrokenPipeError("write"));
    this.#giveUp();
    this.#socket?.destroy();
    this.records.stream.destroy();
    const stopped = this.#home.stop(); // not awaited yet: an operation of a foreign flow may settle only when the flow is closed
    if (abort) this.#flow.abort?.();
    await (typeof this.#flow.close === "function" ? this.#flow.close() : this.#flow.shutdown("all"));
    await stopped;
  }

  get #queued(): number {
    return (this.#socket?.writableLength ?? 0) + (this.records.idle ? 0 : 1);
  }

  #put(bytes: Uint8Array, copy: boolean): number {
    if (this.#sendFailure !== undefined) throw this.#sendFailure.error;
    const socket = this.#socket;
    if (socket === undefined || this.#queued > 0) return 0;
    socket.write(copy ? Buffer.from(bytes) : bytes, () => this.#events.writable());
    return bytes.length;
  }

  #secured(socket: TLSSocket): void {
    this.#socket = socket;
    socket.on("error", (error) => {
      const failure = tlsErrorFrom("read", error);
      this.#failReading(failure);
      this.#failWriting(failure);
    });
    socket.on("close", () => {
      this.#failReading(new TlsError("truncated", "read"));
      this.#failWriting(new BrokenPipeError("write"));
    });
    this.#incoming = new Incoming(socket); // which never pauses it, for a record is less than that takes
    this.#incoming.start({
      readable: () => {
        this.#hungry = this.#dropping;
        this.#events.readable();
      },
    });
  }

  #failReading(error: unknown): void {
    this.#incoming?.fail(error);
    this.#onFailure(error);
  }

  #failWriting(error: unknown): void {
    this.#sendFailure ??= { error };
    this.#onFailure(error);
    this.#events.writable();
  }
}
