// Copyright 2026 the Sluice authors. MIT license.

import {
  checkClock,
  checkFunction,
  checkMilliseconds,
  checkOptions,
  describe,
  isInstance,
  quoteText,
} from "../../base/internal.ts";
import { BufReader } from "../../flow/buffered/mod.ts";
import { asOperation, type Clock, TimeoutError, withTimeout } from "../../switch/internal.ts";
import { type Block, parseBlock } from "../blocks/internal.ts";
import { type Connection, NetError, type StreamAddress, type StreamSocket, tcp } from "../internal.ts";
import { type ConnectionHandler, type ConnectionScope, setInfo } from "../serve/internal.ts";
import { wrapConnection } from "../wrap/mod.ts";
import { fixedSize, maxBlock } from "./_proxy_format.ts";
import { recordProxyHeader } from "./proxy_header.ts";
import { type ReadHeader, readHeader } from "./read_proxy_header.ts";

/** Options for {@linkcode proxyProtocol}. */
export interface ProxyProtocolOptions {
  /**
   * The peers that send a PROXY header: each an address, a block of addresses such as
   * `"10.0.0.0/8"`, or `"unix"` for every peer on a Unix socket. They can claim any address, so
   * list the proxies themselves, and nothing else.
   */
  trusted: readonly string[];
  /**
   * How long the header may take, in milliseconds. `Infinity` removes the limit.
   *
   * @default {3000}
   */
  timeout?: number | undefined;
}

const action = "make a PROXY handler";
const defaultTimeout = 3000;

/**
 * Returns a connection handler, for `runServer` and `acceptFork`, that reads the PROXY header of each
 * connection of a trusted peer, and calls `handler` with the client's address instead of the
 * proxy's.
 *
 * A trusted peer must send a header. If it is missing or malformed, or takes too long, the connection
 * is closed, the error is one of that connection, and `handler` is not called. From any other peer a
 * header is never looked for: its first bytes are its own.
 *
 * For `handler`, `peer` is the client's address, and `local` the one that the client connected to;
 * so they are for `onError` and monitors of the server.
 * A header that is local (a health check), unknown, about datagrams, or of an unspecified family
 * leaves the socket's own addresses. {@linkcode proxyHeaderOf} returns the header in any case. Bytes
 * that follow the header belong to the handler, and fast paths and socket options stay.
 *
 * The options are checked once, by this call.
 *
 * Source: haproxy's proxy-protocol.txt.
 *
 * @typeParam C The kind of connection of the handler: any, or a socket.
 * @param clock The clock that measures the timeout.
 * @param options The trusted peers, and the timeout.
 * @param handler Serves a connection. Its result is awaited.
 * @returns A handler for any kind of connection, or for sockets if `handler` needs these.
 * @throws {SyntaxError} If one of `trusted` is not an address, a block or `"unix"`.
 * @throws {RangeError} If `timeout` is negative or NaN.
 * @throws {TypeError} If an argument is of the wrong kind.
 *
 * @example The client's address behind a balancer
 * ```ts
 * import { copyString, formatAddress, readAll, run, runServer, Switch, tcp } from "@sluice/io";
 * import { proxyProtocol } from "@sluice/io/net/server";
 * import { assertEquals } from "@std/assert";
 *
 * await run(async ({ net, clock, sw }) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *   const handler = proxyProtocol(clock, { trusted: ["127.0.0.1"] }, (connection, peer) =>
 *     copyString(formatAddress(peer), connection));
 *   sw.forkDaemon(() => runServer(listener, handler, { onError: console.error }));
 *
 *   await Switch.run(async (sw) => {
 *     const balancer = await net.connect(sw, listener.address);
 *     await copyString("PROXY TCP4 192.0.2.1 192.0.2.9 50000 443\r\n", balancer);
 *     assertEquals(new TextDecoder().decode(await readAll(balancer)), "tcp:192.0.2.1:50000");
 *   });
 * });
 * ```
 */
export function proxyProtocol<C extends Connection = StreamSocket>(
  clock: Clock,
  options: ProxyProtocolOptions,
  handler: ConnectionHandler<C>,
): StreamSocket extends C ? Connection extends C ? ConnectionHandler<Connection> : ConnectionHandler : never;
export function proxyProtocol(
  clock: Clock,
  options: ProxyProtocolOptions,
  handler: ConnectionHandler<Connection>,
): ConnectionHandler<Connection> {
  checkClock(action, clock);
  const { trusted, timeout = defaultTimeout } = checkOptions(action, options);
  const isTrusted = parseTrusted(trusted);
  checkMilliseconds(action, "timeout", timeout);
  checkFunction(action, handler);
  return (connection, peer, scope) =>
    isTrusted(peer)
      ? serveProxied({ clock, timeout, handler }, connection, peer, scope)
      : handler(connection, peer, scope);
}

/** Checked arguments of {@linkcode proxyProtocol}. */
interface Terms {
  readonly clock: Clock;
  readonly timeout: number;
  readonly handler: ConnectionHandler<Connection>;
}

async function serveProxied(
  { clock, timeout, handler }: Terms,
  connection: Connection,
  peer: StreamAddress,
  scope: ConnectionScope,
): Promise<unknown> {
  const reader = new BufReader(connection, { maxSize: fixedSize + maxBlock });
  const read = await readWithin(clock, timeout, peer, () => readHeader(reader));
  const flow = reader.unread(connection);
  const named = namedBy(read);
  if (named !== undefined) setInfo(named);
  const proxied = named === undefined ? flow : wrapConnection(flow, named);
  recordProxyHeader(proxied, read.header);
  return await handler(proxied, named?.peer ?? peer, scope);
}

async function readWithin<T>(clock: Clock, ms: number, peer: StreamAddress, fn: () => Promise<T>): Promise<T> {
  if (ms === Infinity) return await fn();
  try {
    return await asOperation("read a PROXY header", () => withTimeout(clock, ms, fn));
  } catch (error) {
    if (!isInstance(error, TimeoutError)) throw error;
    const remedy = `no PROXY header within ${ms} ms`;
    throw new NetError("connection_timeout", { operation: "read", address: peer, remedy, cause: error });
  }
}

/** Returns the addresses in a header; `undefined` if those of the socket apply. */
function namedBy({ header, isDatagram }: ReadHeader): { peer: StreamAddress; local: StreamAddress } | undefined {
  const { source, destination } = header;
  if (isDatagram || source === undefined || destination === undefined) return undefined;
  return { peer: unmapped(source as StreamAddress), local: unmapped(destination as StreamAddress) };
}

function unmapped(address: StreamAddress): StreamAddress {
  return address.transport === "tcp" ? tcp(address.ip.unmapped(), address.port) : address;
}

/** Returns a function that reports whether a peer is one of `trusted`. */
function parseTrusted(trusted: unknown): (peer: StreamAddress) => boolean {
  if (!Array.isArray(trusted)) {
    throw new TypeError(`Cannot ${action} as trusted must be an array: current value is ${describe(trusted)}`);
  }
  const blocks: Block[] = [];
  let trustsUnix = false;
  for (const rule of trusted as readonly unknown[]) {
    if (typeof rule !== "string") {
      throw new TypeError(`Cannot ${action} as a trusted peer must be a string: current value is ${describe(rule)}`);
    }
    if (rule === "unix") trustsUnix = true;
    else {
      blocks.push(parseBlock(rule, (reason) => {
        throw new SyntaxError(`Cannot trust ${quoteText(rule)} to send a PROXY header: ${reason}`);
      }));
    }
  }
  return (peer) => peer.transport === "unix" ? trustsUnix : blocks.some(({ addresses }) => addresses.has(peer.ip));
}
