// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction, checkOptions, checkWhole, describe } from "../../base/internal.ts";
import { type Connection, NetError, type StreamAddress, type StreamSocket } from "../internal.ts";
import type { ConnectionHandler } from "../serve/internal.ts";
import { noteDropped } from "./monitor.ts";

/** Options for {@linkcode perPeer}. */
export interface PerPeerOptions {
  /**
   * How many leading bits of an IPv4 address identify a client: an integer from 0 to 32.
   *
   * @default {32}
   */
  prefix4?: number | undefined;
  /**
   * How many leading bits of an IPv6 address identify a client: an integer from 0 to 128. A site
   * usually has at least 64 bits for itself.
   *
   * @default {64}
   */
  prefix6?: number | undefined;
}

/** A client with connections. */
interface Client {
  connections: number;
  /** Whether a connection was reset, and none was admitted since. */
  overflowing: boolean;
}

/**
 * Returns a connection handler that limits how many connections one client has at a time. One more
 * is reset before `handler` starts. A {@linkcode ServerMonitor} counts it as `dropped`. The first one
 * of a burst also fails, with a {@linkcode NetError} `quota_exceeded`; a burst lasts until a
 * connection of that client is admitted.
 *
 * A client is identified by the prefix of the address that the handler receives, so a handler that
 * learns the true address of the client, as from a proxy, belongs around this one. An IPv4-mapped
 * IPv6 address counts as IPv4. All peers of Unix sockets are one client.
 *
 * The count belongs to the returned handler: servers that share it share the count. A connection
 * counts until its handler, and the fibers of its switch, have ended.
 *
 * @typeParam C The kind of connection.
 * @param max The most connections of one client: an integer >= 1, or `Infinity`.
 * @param handler Serves a connection that is admitted.
 * @param options The sizes of the prefixes.
 * @returns A handler, for `runServer`, `acceptFork`, and other functions from handler to handler.
 * @throws {RangeError} If `max` or the size of a prefix is out of range.
 * @throws {TypeError} If `handler` is not a function, or `options` is not an object.
 *
 * @example One connection of each client
 * ```ts
 * import { awaitCancel, NetError, readAll, run, runServer, Switch, tcp } from "@sluice/io";
 * import { perPeer } from "@sluice/io/net/server";
 * import { assert } from "@std/assert";
 *
 * await run(async ({ net }) => {
 *   const errors: unknown[] = [];
 *   await Switch.run(async (sw) => {
 *     const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *     sw.forkDaemon(() => runServer(listener, perPeer(1, awaitCancel), { onError: (error) => errors.push(error) }));
 *     await net.connect(sw, listener.address);
 *     const second = await net.connect(sw, listener.address);
 *     await readAll(second).catch(() => {}); // reset
 *   });
 *   assert(errors[0] instanceof NetError && errors[0].code === "quota_exceeded");
 * });
 * ```
 */
export function perPeer<C extends Connection = StreamSocket>(
  max: number,
  handler: ConnectionHandler<C>,
  options?: PerPeerOptions,
): ConnectionHandler<C> {
  const action = "limit connections per peer";
  checkWhole(action, "max", max, 1, true);
  checkFunction(action, handler);
  const { prefix4 = 32, prefix6 = 64 } = checkOptions<PerPeerOptions>(action, options);
  checkPrefix(action, "prefix4", prefix4, 32);
  checkPrefix(action, "prefix6", prefix6, 128);
  const clients: Map<string, Client> = new Map();

  function leave(key: string, client: Client): void {
    if (--client.connections === 0) clients.delete(key);
  }

  function drop(client: Client, connection: C, peer: StreamAddress): void {
    const remedy = `its client has ${client.connections} connections, and perPeer allows ${max}`;
    const error = new NetError("quota_exceeded", { operation: "serve", address: peer, remedy });
    connection.abort(error);
    noteDropped();
    if (client.overflowing) return;
    client.overflowing = true;
    throw error;
  }

  return (connection, peer, scope) => {
    const key = keyOf(peer, prefix4, prefix6);
    const client = clients.get(key) ?? { connections: 0, overflowing: false };
    if (client.connections >= max) return drop(client, connection, peer);
    const { sw } = scope; // its fibers may use the connection after the handler has returned
    sw.onRelease(() => leave(key, client));
    client.connections++;
    client.overflowing = false;
    clients.set(key, client);
    return handler(connection, peer, scope);
  };
}

/** Returns a key that is the same for all addresses of one client. */
function keyOf(peer: StreamAddress, prefix4: number, prefix6: number): string {
  if (peer.transport === "unix") return "unix";
  const { bytes, version, zone } = peer.ip;
  if (version === 4) return `4 ${prefixOf(bytes, prefix4)}`;
  const mapped = bytes.subarray(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 0xff));
  return mapped ? `4 ${prefixOf(bytes.subarray(12), prefix4)}` : `6 ${prefixOf(bytes, prefix6)} ${zone ?? ""}`;
}

/** Returns the first `bits` of an address as text. */
function prefixOf(bytes: Uint8Array, bits: number): string {
  return Array.from(bytes, (byte, i) => byte & 0xff << 8 - Math.min(8, Math.max(0, bits - i * 8)) & 0xff).join(".");
}

function checkPrefix(action: string, name: string, bits: unknown, most: number): void {
  if (Number.isInteger(bits) && bits as number >= 0 && bits as number <= most) return;
  throw new RangeError(
    `Cannot ${action} as ${name} must be a whole number from 0 to ${most}: current value is ${describe(bits)}`,
  );
}
