// Copyright 2026 the Sluice authors. MIT license.

/**
 * Observation of networks: events for logs, metrics and traces.
 *
 * ```ts
 * import { run } from "@sluice/io";
 * import { observe } from "@sluice/io/net/observe";
 *
 * await run(async (env) => {
 *   const net = observe(env.net, (event) => console.log(event.type, event["network.peer.address"]));
 *   console.log(await net.getAddrInfo("localhost"));
 * });
 * ```
 *
 * @module
 */

export type { NetAttributes, NetEvent, NetEventType } from "./net_event.ts";
export { observe } from "./observe.ts";
export { toDiagnosticsChannel } from "./to_diagnostics_channel.ts";
export { toTrace } from "./to_trace.ts";
