// Copyright 2026 the Sluice authors. MIT license.

import type { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { CallbackScope, checkMethods } from "../internal.ts";
import type { TwoWay } from "../mod.ts";
import { RequestFraming } from "./_request_framing.ts";
import type { SocketDuplex } from "./socket_duplex.ts";
import { toDuplex } from "./to_duplex.ts";

/**
 * The events by which a `node:http` server hands over a request. Without a listener to one of the
 * last two, the server handles such a request by itself.
 */
const requestEvents: readonly string[] = ["request", "checkContinue", "checkExpectation"];

/** The part of a handler's scope that {@linkcode httpHandler} uses. */
export interface StoppingScope {
  /** Aborted when the server is asked to stop. */
  readonly stopping: AbortSignal;
}

/** A connection handler for `runServer` and `acceptFork`, made by {@linkcode httpHandler}. */
export type HttpHandler = (flow: TwoWay, peer?: unknown, scope?: StoppingScope) => Promise<void>;

/** The part of a request that is used. */
interface Request {
  readonly socket: unknown;
}

/** The part of an HTTP/1 response that is used. */
type Response = Pick<ServerResponse, "headersSent" | "setHeader" | "removeHeader" | "once">;

/** The part of a `node:http2` session that is used. */
interface Session {
  close(): void;
}

/**
 * Makes a connection handler of a `node:http` server, or of a `node:http2` server without TLS. The
 * server need not listen. Each connection is served until it closes, in the scope of its handler.
 *
 * When `scope.stopping` is aborted, the handler drains: an idle connection is ended at once, and a
 * busy one after its pending requests and responses; the last response says `Connection: close` if
 * its headers are not sent yet. An HTTP/2 session is closed, which lets its streams finish. A
 * connection that was upgraded, or on which a request is arriving, is left to its client, to the
 * server's own timeouts, and to the `grace` of `runServer`.
 *
 * For TLS, wrap it: `tlsHandler(options, httpHandler(server))`.
 *
 * @param server The server. Its `'connection'` event is emitted for each connection.
 * @returns The handler. It never rejects: the server reports what breaks a connection by
 * `'clientError'`.
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

/** Hands the stream to the server. Returns the session that an HTTP/2 server makes of it. */
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

/** Maps the requests of a server to their connections. */
class Exchanges {
  readonly #server: EventEmitter;
  readonly #connections: WeakMap<object, Connection> = new WeakMap();
  readonly #listened: Set<string> = new Set();

  constructor(server: EventEmitter) {
    this.#server = server;
  }

  open(stream: SocketDuplex): Connection {
    for (const event of requestEvents) this.#listen(event);
    const connection = new Connection(stream);
    this.#connections.set(stream, connection);
    return connection;
  }

  /**
   * Adds a listener before all others. With a listener to an optional event, the server leaves the
   * request to it, so one is added only if the program has one.
   */
  #listen(event: string): void {
    if (this.#listened.has(event) || event !== "request" && this.#server.listenerCount(event) === 0) return;
    this.#listened.add(event);
    this.#server.prependListener(event, ({ socket }: Request, response: Response) => {
      this.#connections.get(socket as object)?.begin(response);
    });
  }
}

/** The pending requests and responses of one HTTP/1 connection. */
class Connection {
  readonly #stream: SocketDuplex;
  readonly #framing: RequestFraming = new RequestFraming();
  /** The pending responses, in the order of their requests, in which HTTP/1 sends them. */
  readonly #responses: Set<Response> = new Set();
  /** How many requests the server has handed over. */
  #begun = 0;
  #draining = false;
  /** The response that announces that it is the last. */
  #last: Response | undefined;

  constructor(stream: SocketDuplex) {
    this.#stream = stream;
  }

  /** Observes received bytes in `push`: a listener would consume those that follow an upgrade. */
  watch(): void {
    const push = this.#stream.push;
    this.#stream.push = (chunk, encoding) => {
      if (chunk !== null) this.#framing.take(chunk);
      const more = Reflect.apply(push, this.#stream, [chunk, encoding]);
      this.#endIfIdle();
      return more;
    };
  }

  /** Notes that a request was handed over. */
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

  /** Ends the connection as soon as nothing is pending. */
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

  /**
   * Ends the connection, unless a request is being received, awaits its response, or was handed
   * over by another event, such as `'upgrade'`.
   */
  #endIfIdle(): void {
    if (!this.#draining || this.#responses.size > 0 || !this.#framing.idle) return;
    if (this.#framing.heads <= this.#begun) this.#stream.destroySoon();
  }
}
