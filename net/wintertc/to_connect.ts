// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, checkShape } from "../../base/internal.ts";
import { checkIsSwitch, hasEnded, type Switch } from "../../switch/internal.ts";
import type { Net } from "../mod.ts";
import type { TlsClientOptions } from "../tls/mod.ts";
import { readOptions, readTarget } from "./_arguments.ts";
import { openSocket } from "./_net_socket.ts";
import { SocketError } from "./socket_error.ts";
import type { WinterConnect } from "./winter_socket.ts";

/** Options for {@linkcode toConnect}. */
export interface ToConnectOptions {
  /**
   * The settings of TLS, such as the trusted authorities. The expected name and the protocols are
   * the options of each socket.
   *
   * @default {those of tlsClient}
   */
  tls?: Omit<TlsClientOptions, "serverName" | "protocols"> | undefined;
}

/**
 * Makes the `connect` function of WinterTC's "Sockets API", as `cloudflare:sockets` exports it,
 * over a network. Code written for that runs on each runtime, and reaches what `net` grants.
 *
 * Every socket belongs to `sw`, and does its I/O in the scope of `sw`: a timeout or a cancelled
 * fiber of one caller does not break a socket that others share. To stop waiting for a promise or a
 * stream of it, use `interruptible`; to close it, `close`. In a cancelled scope nothing is opened.
 *
 * `connect` returns at once. It throws a {@linkcode SocketError} for an address that is malformed,
 * or if `sw` has ended, and a `TypeError` for another wrong argument. Anything later, such as a
 * target that `net` denies, rejects `opened` and `closed`, and fails both streams, with a
 * `SocketError` whose cause is the error of the network. A {@linkcode Cancelled} stays what it is.
 *
 * Where this differs from Cloudflare, it follows the proposal: `sni` and `alpn` exist, and a text
 * address needs a port. Where a socket without `allowHalfOpen` closes because the peer has ended, a
 * `writable` that is locked fails instead of closing, once it is empty.
 *
 * Source: WinterTC, "Sockets API" (https://sockets-api.proposal.wintertc.org/).
 *
 * @param net The network.
 * @param sw The switch that owns the sockets.
 * @param options The settings of TLS.
 * @returns The function, frozen.
 * @throws {TypeError} If `net` is not a `Net`, `sw` is not a `Switch`, or the options are not
 * objects.
 *
 * @example A client of a server in memory
 * ```ts
 * import { copy, Switch, tcp } from "@sluice/io";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { toConnect } from "@sluice/io/net/wintertc";
 * import { assertEquals } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const net = memoryNet();
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 7000));
 *   sw.fork(async () => {
 *     const flow = await listener.accept(sw);
 *     await copy(flow, flow);
 *     await flow.close();
 *   });
 *   const connect = toConnect(net, sw);
 *   const socket = connect({ hostname: "127.0.0.1", port: 7000 });
 *   const writer = socket.writable.getWriter();
 *   await writer.write(new TextEncoder().encode("hello"));
 *   await writer.close();
 *   assertEquals(await new Response(socket.readable).text(), "hello");
 *   await socket.closed; // by itself: both directions have ended
 * });
 * ```
 */
export function toConnect(net: Net, sw: Switch, options?: ToConnectOptions): WinterConnect {
  const action = "make a connect function";
  checkShape(action, "net", "a Net", net, "connect");
  checkIsSwitch(sw, action);
  const { tls } = checkOptions(action, options);
  const authority = Object.freeze({ net, sw, tls: Object.freeze({ ...checkOptions(action, tls) }) });
  const connect: WinterConnect = (address, options) => {
    const target = readTarget(address);
    const terms = readOptions(options, target.hostname);
    if (hasEnded(sw)) throw new SocketError("Cannot connect: the switch is finished");
    return openSocket(authority, target, terms);
  };
  return Object.freeze(connect);
}
