// Copyright 2026 the Sluice authors. MIT license.

/**
 * Servers, and what stands around their handlers.
 *
 * ```ts
 * import { type Clock, type ConnectionHandler, copy } from "@sluice/io";
 * import { proxyProtocol } from "@sluice/io/net/server";
 *
 * function behindBalancer(clock: Clock): ConnectionHandler {
 *   return proxyProtocol(clock, { trusted: ["10.0.0.0/8"] }, (connection) => copy(connection, connection));
 * }
 * ```
 *
 * @module
 */

export * from "../serve/mod.ts";
export { serverMonitor } from "./monitor.ts";
export { perPeer, type PerPeerOptions } from "./per_peer.ts";
export { type ProxyHeader, proxyHeaderOf, type ProxyTlv } from "./proxy_header.ts";
export { proxyProtocol, type ProxyProtocolOptions } from "./proxy_protocol.ts";
export { readProxyHeader } from "./read_proxy_header.ts";
export { type TimeLimits, timeLimits } from "./time_limits.ts";
export { writeProxyHeader, type WriteProxyHeaderOptions } from "./write_proxy_header.ts";
