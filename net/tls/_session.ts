// Copyright 2026 the Sluice authors. MIT license.

import { type BridgeScope, jointOf, type StreamEnd, type StreamEvents } from "../../flow/internal.ts";
import { BrokenPipeError } from "../../flow/mod.ts";
import type { HandshakeResult, TlsEnd, TlsEvents } from "./_engine.ts";
import { Records } from "./_records.ts";
import { closeFlow, type ClosingTerms, type WrappedFlow } from "./_wrapped_flow.ts";
import { TlsFailure } from "./errors.ts";

/** Creates an endpoint, which starts its handshake. */
export type Open = (events: TlsEvents) => TlsEnd;

/** One end of a TLS connection over a flow, as a non-blocking {@linkcode StreamEnd}. */
export class Session implements StreamEnd {
  readonly records: Records;
  readonly #flow: WrappedFlow;
  readonly #scope: BridgeScope;
  #events: StreamEvents = { readable: () => {}, writable: () => {} };
  #endpoint: TlsEnd | undefined;
  #handshaking = true;
  #onFailure: (error: unknown) => void = () => {};
  /** What every read throws, once everything before is consumed. */
  #receiveFailure: { readonly error: unknown } | undefined;
  /** What every write throws. */
  #sendFailure: { readonly error: unknown } | undefined;
  /** Whether a write has failed. */
  #isCut = false;
  /** Whether the flow ended without close_notify, and that counts as an end. */
  #receiveEnded = false;
  /** Whether the plaintext of the next record is needed: a reader waits, or input is discarded. */
  #wantsPlaintext = false;
  #dropping = false;
  #released: Promise<void> | undefined;

  constructor(flow: WrappedFlow, scope: BridgeScope, needsCloseNotify: boolean) {
    this.#flow = flow;
    this.#scope = scope;
    this.records = new Records(flow, scope, {
      wantsPlaintext: () => this.#handshaking || this.#wantsPlaintext,
      handshaking: () => this.#handshaking,
      record: (bytes) => this.#endpoint?.decrypt(bytes),
      sent: () => this.#events.writable(),
      ended: (complete) => {
        if (needsCloseNotify || this.#handshaking || !complete) return this.#failReading(new TlsFailure("truncated"));
        this.#receiveEnded = true;
        this.#events.readable();
      },
      failed: (operation, error) => operation === "read" ? this.#failReading(error) : this.#failWriting(error),
    });
  }

  /** Sets the receiver of events. */
  attach(events: StreamEvents): void {
    this.#events = events;
  }

  /** Performs the handshake. Its error is converted by the caller. */
  async handshake(open: Open): Promise<HandshakeResult> {
    await new Promise<void>((resolve, reject) => {
      this.#onFailure = reject;
      this.#endpoint = startHandshake(open, {
        secured: () => {
          this.#handshaking = false;
          resolve();
        },
        wantsRecord: () => this.records.ready(),
        encrypted: (bytes) => this.records.send(bytes),
        readable: () => {
          this.#wantsPlaintext = this.#dropping;
          this.#events.readable();
        },
        writable: () => this.#events.writable(),
        finished: () => this.#failWriting(new BrokenPipeError("write")),
        failed: (failure) => this.#fail(failure, failure),
        closed: () => this.#fail(new TlsFailure("truncated"), new BrokenPipeError("write")),
      });
    });
    return (this.#endpoint as TlsEnd).result();
  }

  peek(): Uint8Array<ArrayBuffer> | null | undefined {
    const bytes = this.#peek();
    if (bytes !== undefined || this.#wantsPlaintext) return bytes;
    this.#wantsPlaintext = true;
    this.records.pull();
    return this.#peek();
  }

  consume(size: number): boolean | void {
    return this.#endpoint?.consume(size);
  }

  drop(): void {
    this.#endpoint?.drop();
    this.#dropping = this.#wantsPlaintext = true;
    this.records.pull();
  }

  write(bytes: Uint8Array): number {
    return this.#sender?.write(bytes) ?? 0;
  }

  give(buffers: readonly Uint8Array[]): number {
    return this.#sender?.give(buffers) ?? 0;
  }

  /** Sends close_notify, unless a write has failed: the peer must not take a part for the whole. */
  end(): void {
    if (!this.#isCut) this.#endpoint?.end();
  }

  /** Encrypted bytes are sent even if the endpoint has failed, or has ended with its peer. */
  get flushed(): boolean {
    if (this.#released !== undefined) return true;
    return this.records.idle && (this.#sendFailure !== undefined || (this.#endpoint?.flushed ?? true));
  }

  /** What the flow has yet to pass on, if it is one of the library. */
  get unsent(): number {
    return this.records.unsent + (jointOf(this.#flow)?.unsent ?? 0);
  }

  /** Closes the flow, waiting at most `ms` milliseconds for the peer. */
  close(ms: number, terms: ClosingTerms): Promise<void> {
    return this.#released ??= this.#release(() => closeFlow(this.#flow, ms, terms));
  }

  /** Releases everything at once: with a reset if the flow has one, otherwise by closing it. */
  abort(terms: ClosingTerms, reason?: unknown): Promise<void> {
    if (this.#released !== undefined) this.#flow.abort?.(reason);
    return this.#released ??= this.#release(() => {
      this.#flow.abort?.(reason);
      return closeFlow(this.#flow, 0, terms);
    });
  }

  async #release(close: () => Promise<void>): Promise<void> {
    this.#failReading(new TlsFailure("truncated"));
    this.#failWriting(new BrokenPipeError("write"));
    this.#endpoint?.destroy();
    // Awaited later, as operations of a foreign flow may settle only when it is closed.
    const stopped = this.#scope.stop();
    await close();
    await stopped;
  }

  /** The endpoint, if it accepts a write: nothing older is queued. */
  get #sender(): TlsEnd | undefined {
    if (this.#sendFailure !== undefined) {
      this.#isCut = true;
      throw this.#sendFailure.error;
    }
    return this.records.idle ? this.#endpoint : undefined;
  }

  #peek(): Uint8Array<ArrayBuffer> | null | undefined {
    const bytes = this.#endpoint?.peek();
    if (bytes !== undefined) return bytes;
    if (this.#receiveFailure !== undefined) throw this.#receiveFailure.error;
    return this.#receiveEnded ? null : undefined;
  }

  /** Fails both directions. If the handshake fails, an alert may still be sent. */
  #fail(reading: unknown, writing: unknown): void {
    this.#failReading(reading);
    if (!this.#handshaking) this.#failWriting(writing);
  }

  #failReading(error: unknown): void {
    this.#receiveFailure ??= { error };
    this.#onFailure(error);
    this.#events.readable();
  }

  #failWriting(error: unknown): void {
    this.#sendFailure ??= { error };
    this.#onFailure(error);
    this.#events.writable();
  }
}

/** Starts a handshake; converts the error of a runtime that refuses the settings. */
function startHandshake(open: Open, events: TlsEvents): TlsEnd {
  try {
    return open(events);
  } catch (error) {
    throw new TlsFailure("protocol", error);
  }
}
