// Copyright 2026 the Sluice authors. MIT license.

/** A site in memory whose answers a test scripts, and a fetch of it. */
import { acceptFork, BufReader, first, type StreamSocket, Switch, tcp, writeAll } from "../../../../mod.ts";
import { createFetch, type FetchFunction, type FetchOptions } from "../../../../net/http/mod.ts";
import { memoryNet, type MockClock, mockClock } from "../../../../net/testing/mod.ts";
import type { Net } from "../../../../net/mod.ts";
import { textOf } from "../../../_helpers.ts";

/** A request as the server received it. */
export interface Received {
  readonly method: string;
  readonly target: string;
  /** The headers, by their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** How the body was framed. */
  readonly framing: "none" | "length" | "chunked";
  /** The number of the connection, from 1. */
  readonly connection: number;
}

/** The server's end of a connection. */
export interface Peer {
  readonly socket: StreamSocket;
  /** Sends text, one byte for each character up to U+00FF. */
  send(text: string): Promise<void>;
  /** Sends bytes. */
  sendBytes(bytes: Uint8Array): Promise<void>;
}

/**
 * Answers a request: returns the whole response, or sends it itself. After `undefined`, the
 * connection stays open for the next request; `"close"` closes it.
 */
export type Answer = (request: Received, peer: Peer) => string | undefined | Promise<string | undefined>;

/** What a test works with. */
export interface Site {
  readonly sw: Switch;
  readonly net: Net;
  readonly clock: MockClock;
  readonly fetch: FetchFunction;
  /** Everything that was requested, in order. */
  readonly requests: readonly Received[];
  /** How many connections were accepted. */
  readonly connections: number;
  /** How many of them have ended, from the client's side. */
  readonly ended: number;
}

/** The origins that the site answers for. */
export const hosts = { "a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"] };

/** Settings of {@linkcode withSite}. */
export interface SiteOptions extends FetchOptions {
  /** Wraps the network of the client. */
  wrap?: (net: Net) => Net;
  /** Called with each connection instead of reading a request. */
  serve?: (peer: Peer, connection: number) => Promise<void>;
}

/** Runs `fn` with a site on port 80 of `a.test` and `b.test`, and a fetch. */
export async function withSite<T>(
  answer: Answer,
  fn: (site: Site) => T | Promise<T>,
  { wrap, serve, ...options }: SiteOptions = {},
): Promise<T> {
  const clock = mockClock();
  const net = memoryNet({ clock, hosts });
  const requests: Received[] = [];
  let connections = 0;
  let ended = 0;
  const handle = async (socket: StreamSocket) => {
    const connection = ++connections;
    try {
      const peer = peerOf(socket);
      if (serve !== undefined) await serve(peer, connection);
      else await converse(peer, connection, requests, answer);
    } finally {
      ended++;
    }
  };
  return await Switch.run(async (outer) => {
    const listener = await net.listen(outer, tcp("127.0.0.1", 80));
    const serveAll = () =>
      Switch.run(async (server): Promise<never> => {
        for (;;) await acceptFork(server, listener, handle, { onError: () => {} });
      });
    const use = () =>
      Switch.run((sw) =>
        fn({
          sw,
          net,
          clock,
          fetch: createFetch(sw, wrap === undefined ? net : wrap(net), options),
          requests,
          get connections() {
            return connections;
          },
          get ended() {
            return ended;
          },
        })
      );
    return await first(use, serveAll);
  });
}

function peerOf(socket: StreamSocket): Peer {
  const sendBytes = (bytes: Uint8Array) => writeAll(socket, bytes);
  const send = (text: string) => sendBytes(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  return { socket, send, sendBytes };
}

async function converse(peer: Peer, connection: number, requests: Received[], answer: Answer): Promise<void> {
  const reader = new BufReader(peer.socket, { maxSize: 1 << 20 });
  while (!await reader.atEnd()) {
    const request = await receive(reader, connection);
    requests.push(request);
    const text = await answer(request, peer);
    if (text === "close") return;
    if (text !== undefined) await peer.send(text);
  }
}

/** Reads a request. */
export async function receive(reader: BufReader, connection: number): Promise<Received> {
  const [method, target] = (await reader.line() ?? "").split(" ");
  const headers: Record<string, string> = {};
  for (let line = await reader.line(); line; line = await reader.line()) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const length = headers["content-length"];
  const framing = headers["transfer-encoding"] === "chunked" ? "chunked" : length === undefined ? "none" : "length";
  let body = "";
  if (framing === "length") body = textOf(await reader.take(Number(length)));
  for (let size = framing === "chunked" ? NaN : 0; size !== 0;) {
    size = parseInt(await reader.line() ?? "0", 16);
    body += textOf(await reader.take(size));
    await reader.line();
  }
  return { method, target, headers, body, framing, connection };
}

/** Formats a response with a body of known length. */
export function reply(body = "", headers = "", status = "200 OK"): string {
  return `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`;
}

/** Formats a redirect. */
export function redirect(status: number, location: string): string {
  return reply("", `location: ${location}\r\n`, `${status} Moved`);
}
