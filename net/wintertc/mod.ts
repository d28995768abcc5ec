// Copyright 2026 the Sluice authors. MIT license.

/**
 * WinterTC's "Sockets API" over a network: {@linkcode toConnect} makes the `connect` function that
 * code for `cloudflare:sockets` takes.
 *
 * ```ts ignore
 * import { run } from "@sluice/io";
 * import { toConnect } from "@sluice/io/net/wintertc";
 * import { createRedis } from "redis-on-workers";
 *
 * await run(async ({ net, sw }) => {
 *   const redis = createRedis({ hostname: "127.0.0.1", port: 6379, connectFn: toConnect(net, sw) });
 *   console.log(await redis.sendOnce("PING"));
 * });
 * ```
 *
 * The types have the proposal's names with "Winter" in front, because `Socket` and `SocketOptions`
 * are other things in this library.
 *
 * @module
 */

export { SocketError } from "./socket_error.ts";
export { toConnect, type ToConnectOptions } from "./to_connect.ts";
export {
  type WinterAddress,
  type WinterConnect,
  type WinterSecureTransport,
  type WinterSocket,
  type WinterSocketInfo,
  type WinterSocketOptions,
  type WinterTlsOptions,
} from "./winter_socket.ts";
