// Copyright 2026 the Sluice authors. MIT license.

/**
 * Wrappers of networks, connections, listeners and datagram sockets, for confinement, metering,
 * revocation, observation and time limits. Hooks add the concern; ownership, fast paths, options
 * and closing are preserved.
 *
 * ```ts
 * import type { Net } from "@sluice/io/net";
 * import { wrapNet } from "@sluice/io/net/wrap";
 *
 * function logged(net: Net): Net {
 *   return wrapNet(net, {
 *     connect: (next, target) => next({ closed: () => console.log("closed", target) }),
 *   });
 * }
 * ```
 *
 * @module
 */

export type { ByteQuota } from "./byte_quota.ts";
export type { ConnectionHooks, ConnectionOperation } from "./connection_hooks.ts";
export { wrapConnection } from "./wrap_connection.ts";
export { type DatagramHooks, type DatagramOperation, wrapDatagramSocket } from "./wrap_datagram_socket.ts";
export { type ListenerHooks, type ListenerOperation, wrapListener } from "./wrap_listener.ts";
export { type NetHooks, wrapNet } from "./wrap_net.ts";
