// Copyright 2026 the Sluice authors. MIT license.

/** One call of `fetch`: its cancellation, and the exchanges that it needs. */
import { isAborted, isInstance, onAbort, reasonOf } from "../../../base/internal.ts";
import { isSilent, onCancel, silent } from "../../../flow/internal.ts";
import { Cancelled, currentScope, macrotask } from "../../../switch/internal.ts";
import { NetError } from "../../internal.ts";
import { type ClientConnection, type Exchange, isLost } from "../internal.ts";
import type { Pool } from "./_pool.ts";
import { isRedirect, redirected } from "./_redirect.ts";
import type { OutgoingRequest } from "./_request.ts";
import { gather, type OutgoingBody } from "./_request_body.ts";
import { makeResponse } from "./_response.ts";

/** The methods that may be sent twice (RFC 9110, section 9.2.2). */
const idempotent: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** An exchange, and the connection that it uses. */
interface Reply {
  readonly exchange: Exchange;
  readonly connection: ClientConnection;
}

/** A call of `fetch`. It runs in a scope of its own. */
export class Call {
  readonly #pool: Pool;
  readonly #signal: AbortSignal | undefined;
  /** The origin of the URL that the caller named, for errors. */
  readonly #origin: string;
  #request: OutgoingRequest;
  #redirects = 0;
  /** Ends what is in progress, because the signal was aborted. */
  #abort: (reason: unknown) => void;
  /** Removes the listener of the signal. */
  #detach: () => void = () => {};

  /** Begins a call in the current scope, which is its own. */
  constructor(pool: Pool, request: OutgoingRequest) {
    this.#pool = pool;
    this.#request = request;
    this.#signal = request.signal;
    this.#origin = request.url.origin;
    const scope = currentScope();
    this.#abort = (reason) => scope?.cancel(new Cancelled(reason));
  }

  /** Runs the call until the header of the response has arrived. */
  async run(): Promise<Response> {
    const signal = this.#signal;
    try {
      if (signal !== undefined) {
        if (isAborted(signal)) throw reasonOf(signal);
        this.#detach = onAbort(signal, () => this.#abort(reasonOf(signal)));
      }
      const { body } = this.#request;
      if (body !== null && !("open" in body)) {
        const turn = () => new Promise<void>((resolve) => void macrotask(resolve));
        this.#request = { ...this.#request, body: await gather(body, turn) };
      }
      for (;;) {
        const reply = await this.#send();
        let next: OutgoingRequest | undefined;
        try {
          checkStatus(reply);
          next = this.#follow(reply);
          if (next === undefined) return this.#respond(reply);
        } catch (error) {
          discard(reply.exchange);
          throw error;
        }
        discard(reply.exchange);
        this.#request = next;
        this.#redirects++;
      }
    } catch (error) {
      this.#detach();
      const failure = this.#failure(error);
      Promise.resolve(this.#request.body?.cancel(failure)).catch(() => {}); // a locked stream cannot be cancelled
      throw failure;
    }
  }

  /** Returns the request that a redirect leads to; `undefined` if the response is the answer. */
  #follow({ exchange }: Reply): OutgoingRequest | undefined {
    const { head } = exchange;
    const { redirect } = this.#request;
    if (redirect === "manual" || !isRedirect(head.status)) return undefined;
    if (redirect === "error") throw new TypeError('Cannot follow a redirect: redirect is "error"');
    const next = redirected(this.#request, head);
    const { maxRedirects } = this.#pool.settings;
    if (next !== undefined && this.#redirects >= maxRedirects) {
      throw new TypeError(`Cannot follow a redirect: it is the ${maxRedirects + 1}th (maxRedirects: ${maxRedirects})`);
    }
    return next;
  }

  /** Sends the request over a connection of the pool. */
  async #send(): Promise<Reply> {
    const { method, url, headers } = this.#request;
    const body = this.#request.body as OutgoingBody | null;
    const pool = this.#pool.of(url);
    const head = { method, target: url.pathname + url.search, headers: [["host", url.host] as const, ...headers] };
    const leased = pool.lease();
    const { kept } = leased instanceof Promise ? await leased : leased;
    let connection = kept?.usable ? kept : undefined;
    let mayRetry = connection !== undefined && idempotent.has(method) && (body === null || body.repeatable);
    for (;;) {
      try {
        connection ??= await pool.open();
        const content = body === null ? emptyBody(method) : body.open();
        const exchange = await connection.exchange(head, content);
        const used = connection;
        afterwards(exchange, () => pool.giveBack(used));
        return { exchange, connection };
      } catch (error) {
        if (!mayRetry || connection === undefined || connection.gotBytes || !isLost(error)) {
          pool.giveBack(connection);
          throw error;
        }
        // A kept connection that the server has closed, perhaps before the request arrived.
        mayRetry = false;
        connection = undefined;
      }
    }
  }

  #respond({ exchange, connection }: Reply): Response {
    const { method, url } = this.#request;
    let failure: { readonly error: unknown } | undefined;
    let failStream: ((error: unknown) => void) | undefined;
    const response = makeResponse({
      head: exchange.head,
      body: exchange.body,
      method,
      url,
      redirected: this.#redirects > 0,
      failure: (error) => failure === undefined ? this.#failure(error) : failure.error,
      onStream: (fail) => failStream = fail,
    });
    if (exchange.reusable !== undefined && failStream === undefined) this.#detach();
    else {
      const fail = (error: unknown): void => {
        failure ??= { error };
        failStream?.(error);
        if (exchange.reusable === undefined) connection.abort(error);
      };
      this.#abort = fail;
      const forget = onCancel("fetch", (reason) => fail(this.#abortReason ?? reason));
      exchange.done.then(() => {
        forget();
        this.#detach();
        // What has arrived before a revocation is not delivered after it.
        if (isRevocation(exchange.failure?.error)) fail(this.#failure(exchange.failure?.error));
      });
    }
    return response;
  }

  /** The reason of the signal, if it is aborted. */
  get #abortReason(): unknown {
    return this.#signal !== undefined && isAborted(this.#signal) ? reasonOf(this.#signal) : undefined;
  }

  /** Returns the error to throw: a `TypeError` for whatever failed in the network. */
  #failure(error: unknown): unknown {
    const signal = this.#signal;
    if (signal !== undefined && isAborted(signal)) {
      const reason = reasonOf(signal);
      if (error === reason || (isInstance(error, Cancelled) && error.cause === reason)) return reason;
    }
    if (isInstance(error, Cancelled) || isInstance(error, TypeError)) return error;
    const why = isInstance(error, Error) ? error.message.replace(/^Cannot/, "cannot") : "the body failed";
    const failure = new TypeError(`Cannot fetch from ${this.#origin}: ${why}`, { cause: error });
    return isSilent(error) ? silent(failure) : failure;
  }
}

/**
 * Calls `fn` at the end of an exchange: at once if it has ended, so that the next call can reuse
 * its connection.
 */
function afterwards(exchange: Exchange, fn: () => void): void {
  if (exchange.reusable !== undefined) fn();
  else exchange.done.then(fn);
}

/**
 * Closes a connection that the server has switched to another protocol without a request to do so.
 */
function checkStatus({ exchange, connection }: Reply): void {
  const { status } = exchange.head;
  if (status >= 200 && status <= 599) return;
  connection.abort();
  throw new TypeError(`Cannot fetch: the status of the response is ${status}`);
}

/** Cancels the body of a response that is not used. */
function discard({ body }: Exchange): void {
  if (body !== null && "cancel" in body) body.cancel();
}

/** Reports whether an error says that the network may no longer be used. */
function isRevocation(error: unknown): boolean {
  return isInstance(error, NetError) && error.code === "permission_denied";
}

/** Returns the body of a request that has none: `POST` and `PUT` have one of length 0. */
function emptyBody(method: string): Uint8Array | null {
  return method === "POST" || method === "PUT" ? new Uint8Array(0) : null;
}
