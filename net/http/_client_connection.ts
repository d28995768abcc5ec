// Copyright 2026 the Sluice authors. MIT license.

import { BufReader } from "../../flow/mod.ts";
import { ClosedError, labelOf, type LendingSource, lends, lendSome } from "../../flow/internal.ts";
import { type Clock, currentScope, refused, runIn, type Scope } from "../../switch/internal.ts";
import { addContext, type Connection, NetError } from "../internal.ts";
import { Deadline } from "./_deadline.ts";
import { HttpError } from "./errors.ts";
import { type Exchange, RunningExchange } from "./_exchange.ts";
import type { BodyOwner } from "./_incoming_body.ts";
import { isLost } from "./_is_lost.ts";
import { formatRequestHead, type RequestHead } from "./_request_head.ts";
import { framingLine, type RequestBody, Upload } from "./_upload.ts";

export type { Exchange } from "./_exchange.ts";
export type { BodySource } from "./_incoming_body.ts";
export type { RequestHead } from "./_request_head.ts";
export type { IncomingHead } from "./_response_head.ts";
export type { RequestBody } from "./_upload.ts";

/** The limits of the exchanges of a connection; `Infinity` means no limit. */
export interface ExchangeLimits {
  /** The clock on which the times below run. */
  readonly clock: Clock;
  /**
   * From the last byte of the request until the head of the response is complete, in milliseconds.
   */
  readonly headersTimeout: number;
  /** Between two pieces of the body, while a read waits, in milliseconds. */
  readonly bodyTimeout: number;
  /** The most bytes of the head of a response, informational ones included; and of its trailers. */
  readonly maxHeaderSize: number;
}

/** The smallest read buffer of a connection that does not lend, in bytes, and the largest. */
const leastBuffer = 4096;
const mostBuffer = 16 * 1024;

/**
 * The client's end of an HTTP/1.1 connection (RFC 9112), over any connection. It serves one
 * exchange at a time, and knows no URLs, redirects or pools.
 *
 * One loan of the connection's buffers lasts as long as possible, through many exchanges and the
 * idle time between them: it is how the connection learns of its end, and of bytes that answer no
 * request. It waits in the scope in which this was made, which should be that of the connection's
 * owner.
 */
export class ClientConnection {
  readonly #connection: Connection;
  readonly #source: LendingSource;
  readonly #limits: ExchangeLimits;
  readonly #scope: Scope | undefined = currentScope();
  readonly #deadline: Deadline;
  readonly #body: BodyOwner = {
    wanted: () => {
      if (this.#exchange?.incoming?.awaited) this.#deadline.set(this.#limits.bodyTimeout);
      this.#lendIfWanted();
    },
    cancelled: () => this.abort(),
  };
  #exchange: RunningExchange | undefined;
  #lending = false;
  #gotBytes = false;
  /** Why no further request can be sent. */
  #closed: { readonly error?: unknown } | undefined;

  /** How long the server keeps an idle connection open, in milliseconds, if it has said so. */
  idleTimeout: number | undefined;

  /**
   * Called once, when the connection becomes unusable while it is idle, and this side has not
   * closed it.
   */
  onIdleEnd: (() => void) | undefined;

  constructor(connection: Connection, limits: ExchangeLimits) {
    this.#connection = connection;
    this.#limits = limits;
    this.#source = lends(connection)
      ? connection
      : new BufReader(connection, { initialSize: leastBuffer, maxSize: mostBuffer }).asSource();
    this.#deadline = new Deadline(limits.clock, this.#scope, this.#missed);
    this.#lendIfWanted();
  }

  /** Whether a request can be sent: none is in progress, and nothing has closed the connection. */
  get usable(): boolean {
    return this.#exchange === undefined && this.#closed === undefined;
  }

  /** Whether any byte has arrived since the last request was sent. */
  get gotBytes(): boolean {
    return this.#gotBytes;
  }

  /**
   * Sends a request, and waits for the head of the response, in the current scope: cancelling it
   * closes the connection. The response may come before the upload has ended. The upload then goes
   * on until the response is over, or stops if the status is an error; in both cases the connection
   * is not reusable.
   *
   * @throws {TypeError} If a part of the head has a character that could end it early; nothing was
   * sent, and the connection stays usable.
   * @throws {NetError} `connection_reset` if the connection ended before, `connection_timeout`.
   * @throws {HttpError} If the response is malformed, or larger than a limit.
   * @throws {RangeError} If the body does not have its size.
   * @throws What the source of the body throws, or the connection.
   */
  exchange(head: RequestHead, body: RequestBody | null): Promise<Exchange> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (this.#exchange !== undefined) {
      return Promise.reject(new TypeError("Cannot send the request: another is in progress"));
    }
    if (this.#closed !== undefined) return Promise.reject(this.#closed.error ?? this.#resetBy("write"));
    let text: string;
    try {
      text = formatRequestHead(head, framingLine(body));
    } catch (error) {
      return Promise.reject(error);
    }
    const upload = new Upload(this.#connection, this.#scope);
    const exchange = new RunningExchange(head.method, upload, this.#limits.maxHeaderSize, this.#cancel);
    this.#exchange = exchange;
    this.#gotBytes = false;
    this.#send(exchange, text, body);
    return exchange.waiter.promise;
  }

  /** Closes the connection at once. What is in progress fails with `reason`, or a `ClosedError`. */
  abort(reason?: unknown): void {
    this.#end({ error: reason ?? this.#closedError() }, () => this.#connection.abort(reason), true);
  }

  /**
   * Closes the connection, and waits until it is closed. What is in progress fails with a
   * `ClosedError`.
   */
  close(): Promise<void> {
    this.#end({ error: this.#closedError() }, () => {}, true);
    return this.#connection.close();
  }

  #send(exchange: RunningExchange, text: string, body: RequestBody | null): void {
    const sent = () => {
      if (this.#exchange === exchange && exchange.awaitsHead) this.#deadline.set(this.#limits.headersTimeout);
    };
    try {
      const sending = exchange.upload.send(text, body);
      if (sending === undefined) return sent();
      sending.then(sent, (error) => this.#sendingFailed(exchange, error));
    } catch (error) {
      this.#sendingFailed(exchange, error);
    }
  }

  /**
   * Handles a failed write. If the peer has closed the connection, what it sent before may still be
   * a response. After any other failure, such as an exceeded quota, the peer would wait for the
   * rest of the request, so the exchange fails.
   */
  #sendingFailed(exchange: RunningExchange, error: unknown): void {
    if (this.#exchange !== exchange) return;
    if (exchange.upload.sourceFailed || !isLost(error)) return this.#fail(error);
    exchange.writeFailure = { error };
    if (exchange.awaitsHead) this.#deadline.set(this.#limits.headersTimeout);
  }

  #lendIfWanted(): void {
    if (this.#lending || this.#closed !== undefined || this.#exchange?.takesBytes === false) return;
    this.#lending = true;
    try {
      runIn(this.#scope, lendSome, this.#source, this.#take).then(this.#lent, this.#lost);
    } catch (error) {
      this.#lost(error);
    }
  }

  readonly #lent = (taken: number | null): void => {
    this.#lending = false;
    if (taken === null) this.#ended();
    else this.#lendIfWanted();
  };

  readonly #lost = (error: unknown): void => {
    this.#lending = false;
    this.#fail(this.#exchange?.writeFailure?.error ?? error);
  };

  /** Takes received bytes, as far as the exchange can use them now. */
  readonly #take = (bytes: Uint8Array<ArrayBuffer>): number => {
    const exchange = this.#exchange;
    try {
      if (exchange === undefined) throw new HttpError("bytes came that answer no request");
      if (!exchange.takesBytes) return 0;
      this.#gotBytes = true;
      return this.#takeFor(exchange, bytes);
    } catch (error) {
      this.#fail(error);
      return 0;
    }
  };

  #takeFor(exchange: RunningExchange, bytes: Uint8Array<ArrayBuffer>): number {
    const { reader, awaitsHead } = exchange;
    const size = reader.take(bytes);
    const { data, ended } = reader;
    if (awaitsHead) {
      if (exchange.awaitsHead) return size;
      this.#deadline.clear();
      if (exchange.head.status >= 400 && !exchange.upload.done) exchange.upload.stop();
      if (!ended) exchange.receive(this.#body);
      else if (data !== undefined) exchange.body = data;
      exchange.waiter.resolve(exchange);
    }
    if (data !== undefined && exchange.incoming !== undefined) {
      this.#deadline.clear();
      exchange.incoming.add(data);
    }
    if (ended) this.#finish(exchange, size === bytes.length);
    return size;
  }

  /** Ends an exchange whose response has arrived whole; `clean` if nothing came after it. */
  #finish(exchange: RunningExchange, clean: boolean): void {
    const reusable = clean && exchange.reader.staysOpen && exchange.upload.done;
    const { idleSeconds } = exchange.reader;
    if (idleSeconds !== undefined) this.idleTimeout = idleSeconds * 1000;
    this.#exchange = undefined;
    this.#deadline.clear();
    exchange.end(reusable);
    if (!reusable) this.#end({}, () => this.#closeGently(), true);
  }

  /** The peer has ended the connection. */
  #ended(): void {
    const exchange = this.#exchange;
    if (exchange?.reader.endsAtClose) {
      this.#exchange = undefined;
      exchange.end(false);
      this.#end({}, () => this.#closeGently(), true);
    } else if (exchange === undefined) this.#end({}, () => this.#closeGently(), false);
    else this.#fail(exchange.writeFailure?.error ?? this.#resetBy("read"));
  }

  #fail(error: unknown): void {
    this.#end({ error }, () => this.#connection.abort(error), false);
  }

  /** Ends the use of the connection, and what is in progress. */
  #end(closed: { readonly error?: unknown }, close: () => void, bySelf: boolean): void {
    if (this.#closed !== undefined) return;
    this.#closed = closed;
    this.#deadline.stop();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    close();
    exchange?.fail(closed.error);
    if (exchange === undefined && !bySelf) this.onIdleEnd?.();
  }

  #closeGently(): void {
    this.#connection.close().catch(() => {});
  }

  readonly #cancel = (reason: unknown): void => this.abort(reason);

  readonly #missed = (ms: number): void => {
    if (this.#exchange?.writeFailure !== undefined) return this.#fail(this.#exchange.writeFailure.error);
    const limit = this.#exchange?.awaitsHead ? "headersTimeout" : "bodyTimeout";
    const error = new NetError("connection_timeout", { operation: "read", address: this.#connection.peer });
    this.#fail(addContext(error, `waiting for the response (${limit}: ${ms} ms)`));
  };

  #resetBy(operation: "read" | "write"): NetError {
    return new NetError("connection_reset", { operation, address: this.#connection.peer });
  }

  #closedError(): ClosedError {
    return new ClosedError("read", undefined, { flow: labelOf(this.#connection) });
  }
}
