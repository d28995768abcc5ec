// Copyright 2026 the Sluice authors. MIT license.

import type { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { CallbackScope, checkMethods } from "../internal.ts";
import type { TwoWay } from "../mod.ts";
import { RequestFraming } from "./_request_framing.ts";
import type { SocketDuplex } from "./socket_duplex.ts";
import { toDuplex } from "./to_duplex.ts";

/** The events by which a server of `node:http` hands over a request. Only the first is needed. */
const requestEvents: readonly string[] = ["request", "checkContinue", "checkExpectation"];

/** What {@linkcode httpHandler} uses of the scope of a handler. */
export interface StoppingScope {
  /** Aborted when the server is told to stop. */
  readonly stopping: AbortSignal;
}

/** What {@linkcode httpHandler} makes: a handler for `runServer` and `acceptFork`. */
export type HttpHandler = (flow: TwoWay, peer?: unknown, scope?: StoppingScope) => Promise<void>;

/** What is used of a request. */
interface Request {
  readonly socket: unknown;
}

/** What is used of a response of HTTP/1. */
type Response = Pick<ServerResponse, "headersSent" | "setHeader" | "removeHeader" | "once">;

/** What is used of a session of `node:http2`. */
interface Session {
  close(): void;
}

/**
 * Makes a connection handler of a server of `node:http`, or one of `node:http2` without TLS, which need
 * not listen. Each connection is served until it closes, in the scope of its handler.
 *
 * When `scope.stopping` is aborted, a connection that waits for a request is ended at once, and one that
 * is busy is ended after the last request and response that are due; the response says
 * `Connection: close` if its headers are not sent yet. A session of HTTP/2 is closed, which lets its streams finish. A connection that was
 * upgraded, or is in the midst of sending a request, is left to its client, to the server's own
 * timeouts, and to the `grace` of `runServer`.
 *
 * TLS goes around it: `tlsHandler(options, httpHandler(server))`.
 *
 * @param server The server. Its `'connection'` event is emitted for each connection.
 * @returns The handler. It never rejects: what breaks a connection is told by the server's `'clientError'`.
 * @throws {TypeError} If `server` does not emit events.
 *
 * @example A server of `node:http` that drains
 * ```ts
 * import { run, runServer, Switch, tcp } from "@sluice/io";
 * import { httpHandler } from "@sluice/io/flow/node";
 * import { createServer } from "node:http";
 * import { assertEquals } from "@std/assert";
 *
 * await run(({ net }) =>
 *   Switch.run(async (sw) => {
 *     const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *     const stop = new AbortController();
 *     const handler = httpHandler(createServer((_, response) => response.end("hello")));
 *     sw.fork(() => runServer(listener, handler, { onError: console.error, stop: stop.signal }));
 *     const { port } = listener.address;
 *     assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "hello");
 *     stop.abort();
 *   })
 * );
 * ```
 */
export function httpHandler(server: EventEmitter): HttpHandler {
  checkMethods("make a handler", server, "a server of node:http", "on", "emit", "listenerCount");
  const exchanges = new Exchanges(server);
  return async (flow, _peer, scope) => {
    const callbacks = new CallbackScope();
    const stream = callbacks.run(() => toDuplex(flow));
    const closed = new Promise<void>((resolve) => stream.once("close", () => resolve()));
    const connection = exchanges.open(stream);
    const session = callbacks.run(() => emitConnection(server, stream));
    if (session === undefined) connection.watch();
    const drain = () => session === undefined ? connection.drain() : session.close();
    const stopping = scope?.stopping;
    if (stopping?.aborted) drain();
    stopping?.addEventListener("abort", drain, { once: true });
    await closed;
    callbacks.end();
    stopping?.removeEventListener("abort", drain);
  };
}

/** Hands the stream over. Returns the session that a server of HTTP/2 makes of it. */
function emitConnection(server: EventEmitter, stream: SocketDuplex): Session | undefined {
  let session: Session | undefined;
  const take = (made: Session) => session = made;
  server.prependOnceListener("session", take);
  try {
    server.emit("connection", stream);
  } finally {
    server.off("session", take);
  }
  return session;
}

/** Knows which connection a request of a server came by. */
class Exchanges {
  readonly #server: EventEmitter;
  readonly #connections: WeakMap<object, Connection> = new WeakMap();
  readonly #heard: Set<string> = new Set();

  constructor(server: EventEmitter) {
    this.#server = server;
  }

  open(stream: SocketDuplex): Connection {
    for (const event of requestEvents) this.#hear(event);
    const connection = new Connection(stream);
    this.#connections.set(stream, connection);
    return connection;
  }

  /** Listens before all others. To listen for an optional event would mean to handle it, unless others do. */
  #hear(event: string): void {
    if (this.#heard.has(event) || event !== "request" && this.#server.listenerCount(event) === 0) return;
    this.#heard.add(event);
    this.#server.prependListener(event, ({ socket }: Request, response: Response) => {
      this.#connections.get(socket as object)?.begin(response);
    });
  }
}

/** What is due on one connection of HTTP/1. */
class Connection {
  readonly #stream: SocketDuplex;
  readonly #framing: RequestFraming = new RequestFraming();
  /** In the order of their requests, which is that in which they are sent. */
  readonly #responses: Set<Response> = new Set();
  /** How many requests the server has handed over. */
  #begun = 0;
  #draining = false;
  /** The response that says that it is the last. */
  #last: Response | undefined;

  constructor(stream: SocketDuplex) {
    this.#stream = stream;
  }

  /** Looks at what arrives. Not by a listener, which would take it from those to whom the connection is handed over. */
  watch(): void {
    const push = this.#stream.push;
    this.#stream.push = (chunk, encoding) => {
      if (chunk !== null) this.#framing.take(chunk);
      const more = Reflect.apply(push, this.#stream, [chunk, encoding]);
      this.#endIfIdle();
      return more;
    };
  }

  /** A request has come. */
  begin(response: Response): void {
    if (this.#responses.has(response)) return;
    const earlier = [...this.#responses].at(-1);
    this.#responses.add(response);
    this.#begun++;
    response.once("close", () => this.#end(response));
    if (!this.#draining) return;
    if (earlier?.headersSent === false) earlier.removeHeader("connection");
    this.#announce(response);
  }

  /** Ends the connection as soon as nothing is due. */
  drain(): void {
    this.#draining = true;
    const last = [...this.#responses].at(-1);
    if (last !== undefined) this.#announce(last);
    this.#endIfIdle();
  }

  /** Tells the client that this is the last response. */
  #announce(response: Response): void {
    if (response.headersSent) return;
    response.setHeader("connection", "close");
    this.#last = response;
  }

  #end(response: Response): void {
    this.#responses.delete(response);
    if (response === this.#last && this.#responses.size === 0) this.#stream.destroySoon();
    else this.#endIfIdle();
  }

  /** No request is being received, or was received and is being answered, or was handed over otherwise. */
  #endIfIdle(): void {
    if (!this.#draining || this.#responses.size > 0 || !this.#framing.between) return;
    if (this.#framing.heads <= this.#begun) this.#stream.destroySoon();
  }
}
