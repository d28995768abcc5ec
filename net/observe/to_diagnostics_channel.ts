// Copyright 2026 the Sluice authors. MIT license.

import { checkString } from "../../base/internal.ts";
import { channelOf } from "./_node_channel.ts";
import type { NetEvent } from "./net_event.ts";

/**
 * Returns an observer that publishes each event on a channel of `node:diagnostics_channel`, which
 * Deno and Bun have too. Without subscribers it costs one test of a boolean.
 *
 * A channel is global: every module of the process can subscribe. What a subscriber throws is the
 * runtime's to handle.
 *
 * @param name The name of the channel.
 * @returns The observer.
 * @throws {TypeError} If `name` is not a string.
 *
 * @example A subscriber
 * ```ts
 * import { Switch, tcp } from "@sluice/io";
 * import { type NetEvent, observe, toDiagnosticsChannel } from "@sluice/io/net/observe";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 * import { subscribe, unsubscribe } from "node:diagnostics_channel";
 *
 * const types: string[] = [];
 * const subscriber = (event: unknown) => types.push((event as NetEvent).type);
 * subscribe("sluice:net", subscriber);
 * const net = observe(memoryNet(), toDiagnosticsChannel());
 * await Switch.run((sw) => net.listen(sw, tcp("127.0.0.1", 80)));
 * unsubscribe("sluice:net", subscriber);
 * assertEquals(types, ["listen", "close"]);
 * ```
 */
export function toDiagnosticsChannel(name: string = "sluice:net"): (event: NetEvent) => void {
  checkString("make an observer", "name", name);
  const channel = channelOf(name);
  return (event) => {
    if (channel.hasSubscribers) channel.publish(event);
  };
}
