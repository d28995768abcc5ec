// Copyright 2026 the Sluice authors. MIT license.

import type { PeerCertificate } from "./peer_certificate.ts";
import { hideClass } from "../../base/internal.ts";
import { addStreamMethods, registerLayers, Stream, type StreamMethods } from "../../flow/internal.ts";
import { adopt, registerOwner } from "../../switch/internal.ts";
import type { ReleaseHook } from "../../switch/mod.ts";
import { closeGracefully, closeWithin, type Lingering } from "../internal.ts";
import type { Connection, StreamAddress } from "../mod.ts";
import type { HandshakeResult } from "./_engine.ts";
import { errorOf } from "./_failure.ts";
import type { Session } from "./_session.ts";
import { addressOf, type ClosingTerms, endSending, peerOf, type WrappedFlow } from "./_wrapped_flow.ts";
import type { TlsErrorContext } from "./errors.ts";

/**
 * A TLS connection over a flow.
 *
 * A read returns the end only after close_notify of the peer. A flow that ends without it causes a
 * {@linkcode TlsError} `truncated`, once everything that came before is read, unless `closeNotify`
 * is `"optional"`. Errors of the flow are thrown unchanged.
 *
 * It lives until it is closed or aborted, or its switch ends. Later operations fail with a
 * `ClosedError` that says which.
 */
export interface TlsConnection extends Connection {
  /** The local address of the underlying flow; an unnamed Unix address if that has none. */
  readonly local: StreamAddress;
  /** The address of the peer, likewise. */
  readonly peer: StreamAddress;
  /** The protocol that was negotiated (ALPN), if there is one. */
  readonly protocol: string | undefined;
  /** The certificate of the peer. A server has it only with `authorities`. */
  readonly peerCertificate: PeerCertificate | undefined;
  /** The version of TLS: `"TLSv1.3"` or `"TLSv1.2"`. */
  readonly version: string;
  /**
   * The name of the server, without a trailing dot: on a server the one that the client requested
   * (SNI), on a client the one that the certificate was verified for.
   */
  readonly serverName: string | undefined;
  /**
   * Closes the connection and the underlying flow. Nothing that a write took is lost: it is sent,
   * and then close_notify and the end of the flow. After that, input is read and dropped until the
   * peer has ended too; otherwise the system could reset the connection while the last bytes are in
   * transit. All of this takes at most `linger` milliseconds, and no time if the peer has ended.
   *
   * If the owning switch has failed or was cancelled, the connection is aborted instead.
   */
  close(): Promise<void>;
  /**
   * Aborts the connection at once, and the underlying flow if that supports it. Unsent output is
   * lost, and the peer sees an error.
   *
   * @param reason The cause of the {@linkcode ClosedError} of every later or waiting operation.
   */
  abort(reason?: unknown): void;
}

/** The owner of a connection, and how it closes. */
export interface TlsTerms extends ClosingTerms {
  /** In milliseconds. */
  readonly linger: number;
  /** The name of the connection in dumps. */
  readonly label: string;
  /** The name that the certificate of the peer must have, if that is verified. */
  readonly expectedName: string | undefined;
}

/** Records the result of the handshake. */
export let secure: (flow: SecureFlow, result: HandshakeResult, serverName: string | undefined) => void;

/** Returns the context of the connection for its errors. */
export let contextOf: (flow: SecureFlow) => TlsErrorContext;

/** Reports whether a connection is closed or closing. */
export let isClosing: (flow: SecureFlow) => boolean;

export interface SecureFlow extends StreamMethods {}

/** A session with an owner. */
export class SecureFlow implements TlsConnection, Lingering {
  static {
    addStreamMethods(this, (flow) => #stream in flow ? flow.#stream : undefined);
    registerLayers((flow) => #flow in flow ? flow.#flow : undefined);
    hideClass(this);
    secure = (flow, result, serverName) => {
      flow.#result = result;
      flow.#serverName = serverName;
    };
    contextOf = (flow) => flow.#context;
    isClosing = (flow) => flow.#closing !== undefined;
  }

  readonly local: StreamAddress;
  readonly peer: StreamAddress;
  readonly #context: TlsErrorContext;
  readonly #session: Session;
  readonly #flow: WrappedFlow;
  readonly #terms: TlsTerms;
  readonly #stream: Stream;
  readonly #hook: ReleaseHook;
  #result: HandshakeResult | undefined;
  #serverName: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(session: Session, flow: WrappedFlow, terms: TlsTerms) {
    const { label, owner, expectedName } = terms;
    this.local = addressOf(flow.local);
    this.peer = addressOf(flow.peer);
    const context = this.#context = { peer: peerOf(this.peer, flow), expectedName };
    this.#session = session;
    this.#flow = flow;
    this.#terms = terms;
    this.#stream = new Stream(session, { label, failure: (operation, cause) => errorOf(operation, cause, context) });
    this.#hook = registerOwner(owner, "start TLS", { release: () => this.#release(), label });
    session.attach(this.#stream);
    Object.freeze(this);
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

  abort(reason?: unknown): void {
    this.#stream.close("aborted by this side", reason === undefined ? undefined : { cause: reason });
    this.#closing = this.#session.abort(this.#terms, reason).finally(() => this.#hook.remove());
    this.#closing.catch(() => {}); // close() reports it
  }

  close(): Promise<void> {
    return this.#closeOnce(this.#terms.linger, "closed by this side");
  }

  [closeWithin](ms: number): Promise<void> {
    return this.#closeOnce(Math.min(ms, this.#terms.linger), "closed by this side");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Closes the connection because its switch ends. As for a socket, the next release hook runs as
   * soon as everything taken is flushed, so that two ends of one connection in one switch do not
   * wait for each other.
   */
  #release(): Promise<void> {
    adopt(this.#terms.owner, this.#closeOnce(this.#terms.linger, "its switch has ended"));
    return this.#stream.awaitFlushed();
  }

  #closeOnce(ms: number, state: string): Promise<void> {
    return this.#closing ??= this.#close(ms, state);
  }

  async #close(ms: number, state: string): Promise<void> {
    const session = this.#session;
    const terms = this.#terms;
    const carrier = {
      get flushed() {
        return session.flushed;
      },
      close: (rest: number) => session.close(rest, terms),
      abort: () => session.abort(terms),
    };
    this.#stream.close(state);
    try {
      await closeGracefully(terms.owner, terms.clock, ms, carrier, () => this.#farewell());
    } finally {
      this.#hook.remove();
    }
  }

  /** Flushes the output and its end, and then drops input until the peer has ended. */
  async #farewell(): Promise<void> {
    this.#session.end();
    this.#session.drop();
    await this.#stream.awaitFlushed();
    if (!this.#stream.hasTaken) return; // nothing can be lost
    await endSending(this.#flow);
    await this.#stream.awaitDrained();
  }
}
