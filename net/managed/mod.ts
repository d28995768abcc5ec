// Copyright 2026 the Sluice authors. MIT license.

/**
 * Connections that never make their caller wait, for programs that are loops of ticks: each is a
 * state, and two buffers. A fiber moves the bytes.
 *
 * ```ts
 * import { type Net, type StreamAddress, Switch } from "@sluice/io";
 * import { managedConnection } from "@sluice/io/net/managed";
 *
 * function play(net: Net, address: StreamAddress, draw: (line: Uint8Array) => void) {
 *   return Switch.run(async (sw) => {
 *     const server = managedConnection(sw, (own) => net.connect(own, address), {
 *       clock: net.clock,
 *       data: undefined,
 *       timeout: 10_000,
 *       ping: "ping\n",
 *     });
 *     while (server.alive) {
 *       draw(server.receiveAll());
 *       server.send("here I am\n");
 *       await net.clock.sleep(50);
 *     }
 *   });
 * }
 * ```
 *
 * @module
 */

export { managedConnection, managedOf } from "./manage.ts";
export type { CloseNicelyOptions, DisconnectReason, ManagedConnection, ManagedState } from "./managed_connection.ts";
export type { ManagedOptions } from "./managed_options.ts";
export { type AcceptFromOptions, type ManagedSet, managedSet } from "./managed_set.ts";
export { waitAny, type WaitAnyOptions } from "./wait_any.ts";
