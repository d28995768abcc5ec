// Copyright 2026 the Sluice authors. MIT license.

import {
  type Borrower,
  type Closable,
  give,
  type GivingSink,
  lend,
  type LendingSource,
  type ShutdownHow,
  type TwoWay,
} from "../../flow/mod.ts";
import { Stream } from "../../flow/stream.ts";
import { type Clock, first, type ReleaseHook, type Switch } from "../../switch/mod.ts";
import { isSwitchCancelled, own, runUnder } from "../../switch/switch.ts";
import type { HandshakeResult } from "./engine.ts";
import type { Session } from "./session.ts";

/** The certificate that the other side has shown. */
export interface PeerCertificate {
  /** Whose it is: one line for each part of the name, such as `CN=example.com`. */
  readonly subject: string;
  /** Who says so, likewise. */
  readonly issuer: string;
  /** From when it is valid. */
  readonly validFrom: Date;
  /** Until when it is valid. */
  readonly validTo: Date;
  /** Its SHA-256 digest, as pairs of digits: `AB:CD:…`. */
  readonly fingerprint: string;
  /** All of it, in the format DER: for `new X509Certificate(der)` of `node:crypto`, say. */
  readonly der: Uint8Array<ArrayBuffer>;
}

/**
 * A TLS connection over a flow.
 *
 * Reading gives the end only when the other side has said so by close_notify. A connection that just ends is a {@linkcode TlsError} `truncated`, once all that came before is read. What
 * breaks the flow is thrown as the flow throws it.
 */
export interface TlsFlow extends TwoWay, Closable, LendingSource, GivingSink {
  /** The protocol that both sides have agreed on (ALPN), if they named any. */
  readonly protocol: string | undefined;
  /** What the other side has shown. On a server it is there only if `authorities` are. */
  readonly peerCertificate: PeerCertificate | undefined;
  /** The version of TLS: `"TLSv1.3"` or `"TLSv1.2"`. */
  readonly version: string;
  /** The name of the server: what the client asked for (SNI) or, on the client, what the certificate was checked for. */
  readonly serverName: string | undefined;
  /**
   * Lets bytes that were taken go out, says goodbye by close_notify, and closes the flow. It takes at most the time of `linger`, and none if the owning switch has failed or was cancelled; then
   * the flow is broken.
   */
  close(): Promise<void>;
  /** Breaks the connection, and resets the flow where that can be. What has not gone out is lost, and the other side sees an error. */
  abort(): void;
}

/** Who a connection belongs to, and how it closes. */
export interface TlsTerms {
  readonly owner: Switch;
  readonly clock: Clock;
  /** In milliseconds. */
  readonly linger: number;
  /** What it is called in dumps. */
  readonly label: string;
}

/** A session with an owner. */
export class SecureFlow implements TlsFlow {
  static {
    Object.freeze(this.prototype);
  }

  readonly #session: Session;
  readonly #terms: TlsTerms;
  readonly #stream: Stream;
  readonly #hook: ReleaseHook;
  #result: HandshakeResult | undefined;
  #serverName: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(session: Session, terms: TlsTerms) {
    this.#session = session;
    this.#terms = terms;
    this.#stream = new Stream(session, { label: terms.label, failure: (_, cause) => cause });
    this.#hook = own(terms.owner, "start TLS", { release: () => this.close(), label: terms.label });
    session.attach(this.#stream);
    Object.freeze(this);
  }

  /** The handshake is done. */
  secured(result: HandshakeResult, serverName: string | undefined): void {
    this.#result = result;
    this.#serverName = serverName;
  }

  get protocol(): string | undefined {
    return this.#result?.protocol;
  }

  get peerCertificate(): PeerCertificate | undefined {
    return this.#result?.peerCertificate;
  }

  get version(): string {
    return this.#result?.version ?? "";
  }

  get serverName(): string | undefined {
    return this.#serverName;
  }

  /** Whether it is closed, or about to be. */
  get closing(): boolean {
    return this.#closing !== undefined;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    return this.#stream.read(buffer);
  }

  [lend](use: Borrower): Promise<number | null> {
    return this.#stream.lend(use);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#stream.write(bytes);
  }

  [give](buffers: readonly Uint8Array[]): Promise<number> {
    return this.#stream.give(buffers);
  }

  shutdown(how: ShutdownHow): Promise<void> {
    return this.#stream.shutdown(how);
  }

  abort(): void {
    this.#stream.close();
    this.#hook.remove();
    this.#closing = this.#session.free(true);
    this.#closing.catch(() => {}); // close() tells
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { owner, clock, linger } = this.#terms;
    this.#stream.close();
    this.#hook.remove();
    if (!isSwitchCancelled(owner)) {
      this.#session.drop();
      this.#session.end();
      try {
        await runUnder(owner, () => first(() => this.#stream.flush(), () => clock.sleep(linger)));
      } catch {
        // The owner was cancelled meanwhile: no more waiting.
      }
    }
    await this.#session.free(!this.#session.flushed);
  }
}
