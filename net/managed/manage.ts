// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction } from "../../base/internal.ts";
import type { Sink, Source, TwoWay } from "../../flow/internal.ts";
import type { Switch } from "../../switch/internal.ts";
import type { StreamAddress } from "../internal.ts";
import { Managed } from "./_managed.ts";
import { checkEnds, endsOf, release } from "./_ends.ts";
import type { ManagedConnection } from "./managed_connection.ts";
import { checkManagedOptions, type ManagedOptions } from "./managed_options.ts";

const action = "manage a connection";

/**
 * Connects in the background. The connection is returned at once, in the state `"connecting"`.
 *
 * It lives until it ends, for one of the reasons in `DisconnectReason`; its errors are a
 * part of its state, and never fail `sw`. When `sw` ends it is closed.
 *
 * Source: Procord's `Procord_connection.connect`.
 *
 * @typeParam D The type of the data.
 * @param sw The switch that owns it.
 * @param open Opens the flow: a socket, TLS over one, or any other `TwoWay`. Called at once, with a
 * switch of its own, which ends with the connection. It is cancelled if the connection ends first.
 * @param options The clock, the data, timeouts and the sizes of the buffers.
 * @returns The connection.
 * @throws {TypeError} If `sw` is not a switch or has ended, `open` is not a function, or an option
 * has the wrong type.
 * @throws {RangeError} If an option is out of range.
 *
 * @example A client that sends before it is connected
 * ```ts
 * import { run, tcp } from "@sluice/io";
 * import { managedConnection } from "@sluice/io/net/managed";
 * import { assertEquals } from "@std/assert";
 *
 * await run(async ({ net, clock, sw }) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *   const client = managedConnection(sw, (own) => net.connect(own, listener.address), { clock, data: undefined });
 *   client.send("hello");
 *   assertEquals(client.state, { kind: "connecting" });
 *
 *   const server = await listener.accept(sw);
 *   assertEquals(await server.read(new Uint8Array(9)), 5);
 *   client.close();
 * });
 * ```
 */
export function managedConnection<D>(
  sw: Switch,
  open: (sw: Switch) => Promise<TwoWay>,
  options: ManagedOptions<D>,
): ManagedConnection<D> {
  checkFunction(action, open);
  return new Managed<D>(sw, async (own) => endsOf(await open(own)), checkManagedOptions(action, options));
}

/**
 * Manages a flow that is open already: standard input and output, pipes, files, or one direction
 * alone. It is connected at once.
 *
 * The connection closes the flow when it ends, if the flow has `close` or `abort`. Without a source
 * nothing is ever received, and without a sink nothing can be queued.
 *
 * Source: Procord's `Procord_connection.custom`.
 *
 * @typeParam D The type of the data.
 * @param sw The switch that owns it.
 * @param ends The flow. Source and sink may be the same object.
 * @param options The clock, the data, timeouts and the sizes of the buffers.
 * @returns The connection.
 * @throws {TypeError} If `sw` is not a switch or has ended, there is neither a source nor a sink,
 * or something has the wrong type.
 * @throws {RangeError} If an option is out of range.
 *
 * @example Messages of the parent process
 * ```ts
 * import { run } from "@sluice/io";
 * import { managedOf } from "@sluice/io/net/managed";
 *
 * await run(({ clock, stdin, stdout, sw }) => {
 *   const parent = managedOf(sw, { source: stdin, sink: stdout }, { clock, data: undefined });
 *   parent.send("ready\n");
 *   return parent.closeNicely();
 * });
 * ```
 */
export function managedOf<D>(
  sw: Switch,
  ends: { source?: Source | undefined; sink?: Sink | undefined; peer?: StreamAddress | undefined },
  options: ManagedOptions<D>,
): ManagedConnection<D> {
  const checked = checkEnds(action, ends);
  const connection = new Managed<D>(sw, () => checked, checkManagedOptions(action, options));
  if (!connection.alive) release(checked, false); // the switch is cancelled
  return connection;
}
