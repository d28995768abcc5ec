// Copyright 2026 the Sluice authors. MIT license.

import { type Address, type HostAddress, labelled, type Net, type StreamSocket } from "../internal.ts";
import { type ConnectionHooks, wrapNet } from "../wrap/mod.ts";
import { askedBy, isLookedUp, nameToLookUp } from "./_lookup.ts";
import { type Place, Places } from "./_places.ts";
import { Budget, checkQuota, exceeded } from "./_quota.ts";

/** The quotas of {@linkcode limit}: each is an integer >= 0, or `Infinity`. 0 allows nothing. */
export interface NetQuota {
  /**
   * How many sockets can be open at once: connections, made or accepted, listeners, and datagram
   * sockets. A connect or an accept that is pending counts too.
   *
   * @default {Infinity}
   */
  maxSockets?: number | undefined;
  /**
   * How many times `connect` can be called in all, whatever comes of it.
   *
   * @default {Infinity}
   */
  maxConnects?: number | undefined;
  /**
   * How many bytes can be received in all, by connections and as datagrams.
   *
   * @default {Infinity}
   */
  maxBytesIn?: number | undefined;
  /**
   * How many bytes can be sent in all, by connections and as datagrams.
   *
   * @default {Infinity}
   */
  maxBytesOut?: number | undefined;
  /**
   * How many times something can be looked up in all, whatever comes of it: by `getAddrInfo`,
   * `getNameInfo`, `getServices`, one iteration of `addresses`, or `connect` to a name. The literal
   * of an IP address is not looked up.
   *
   * @default {Infinity}
   */
  maxLookups?: number | undefined;
}

/**
 * Limits what can be done through a network. An operation that goes beyond a quota fails before
 * anything is asked of the system, with a {@linkcode NetError} of the code `quota_exceeded`, whose
 * `remedy` names the quota.
 *
 * - **Sockets.** A place is returned as soon as its socket is gone: closed, aborted, broken by the
 *   peer, or released by its switch; and if the attempt to open it fails or is cancelled. An
 *   `accept` that finds no place waits for one, as behind Go's `LimitListener`: clients wait in the
 *   backlog meanwhile, and other calls of `accept` wait behind it. It is `quota_exceeded` only with
 *   `maxSockets` 1, where the listener has the only place.
 * - **Connects and lookups.** A connect to a name is one connect and one lookup. A failed or
 *   cancelled one counts as well, so that a program cannot scan for free.
 * - **Bytes.** A read delivers, and a write takes, no more than is left; once nothing is left, it
 *   fails, even if the peer has ended; a read that waits then fails when bytes arrive. So a quota
 *   of exactly what the peer sends is too small to read up to the end, on every path. A write takes
 *   its bytes, at most 64 KiB, from the quota before it begins, and returns those that it has not
 *   written; other writes find less left meanwhile. A datagram counts whole: one that is too large
 *   is not sent, and one that arrives is dropped, and fails the call unless there are others.
 *   `copy` and the other fast paths obey too.
 *
 * The quotas are shared by everything that is opened through the network. Nested limits all apply.
 *
 * @param net The network, which may itself be a wrapper.
 * @param quota The quotas, which are read once.
 * @returns The limited network.
 * @throws {TypeError} If `net` is not a network, `quota` is not an object, it has an unknown field,
 * or a quota is not a number.
 * @throws {RangeError} If a quota is negative or not an integer.
 *
 * @example One connection at a time, and five bytes in all
 * ```ts
 * import { both, copyString, NetError, Switch, tcp } from "@sluice/io";
 * import { limit } from "@sluice/io/net/confine";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const open = memoryNet();
 * const net = limit(open, { maxSockets: 1, maxBytesIn: 5 });
 * await Switch.run(async (sw) => {
 *   const listener = await open.listen(sw, tcp("127.0.0.1", 80));
 *   const [client, server] = await both(
 *     () => net.connect(sw, listener.address),
 *     () => listener.accept(sw),
 *   );
 *   const { code } = await assertRejects(() => net.connect(sw, listener.address), NetError);
 *   assertEquals(code, "quota_exceeded");
 *   await copyString("hello, world", server);
 *   const buffer = new Uint8Array(100);
 *   assertEquals(await client.read(buffer), 5);
 *   await assertRejects(() => client.read(buffer), NetError, "maxBytesIn is 5");
 * });
 * ```
 */
export function limit(net: Net, quota: NetQuota): Net {
  const { maxSockets, maxConnects, maxBytesIn, maxBytesOut, maxLookups } = checkQuota(quota);
  const places = new Places(maxSockets);
  const connects = new Budget("maxConnects", maxConnects);
  const bytesIn = new Budget("maxBytesIn", maxBytesIn);
  const bytesOut = new Budget("maxBytesOut", maxBytesOut);
  const lookups = new Budget("maxLookups", maxLookups);

  const noPlace = (operation: string, target: Address | HostAddress | undefined) =>
    exceeded("maxSockets", maxSockets, operation, target);

  /** Opens a socket that has a place. */
  async function withPlace<T>(place: Place, open: () => Promise<T>): Promise<T> {
    try {
      return await open();
    } catch (error) {
      place();
      throw error;
    }
  }

  /** Opens a connection that has a place. */
  async function connection(
    place: Place,
    target: Address | HostAddress,
    open: (hooks: ConnectionHooks) => Promise<StreamSocket>,
  ): Promise<StreamSocket> {
    let peer = target; // until it is known
    const hooks: ConnectionHooks = {
      check: bytesIn.isLimited ? (operation) => operation === "read" && bytesIn.check("read", peer) : undefined,
      incoming: bytesIn.bytesOf("read", () => peer),
      outgoing: bytesOut.bytesOf("write", () => peer),
      gone: place,
    };
    const opened = await withPlace(place, () => open(hooks));
    peer = opened.peer;
    return opened;
  }

  return wrapNet(net, {
    async connect(next, target) {
      const name = nameToLookUp(target);
      connects.check("connect", target);
      if (name !== undefined) lookups.check("lookup", name);
      const place = places.take();
      if (place === undefined) throw noPlace("connect", target);
      connects.takeOne("connect", target);
      if (name !== undefined) lookups.takeOne("lookup", name);
      return await connection(place, target, next);
    },
    async listen(next, address) {
      const place = places.take();
      if (place === undefined) throw noPlace("listen", address);
      const acceptors = places.acceptors(labelled(address));
      return await withPlace(place, () =>
        next({
          async accept(next, sw) {
            if (maxSockets === 1) throw noPlace("accept", address);
            const place = places.take() ?? await acceptors.wait(sw);
            if (place !== undefined) return await connection(place, address, next);
            await next(); // throws what a closed listener, or an ended switch, has to say
            throw noPlace("accept", address);
          },
          gone() {
            place();
            acceptors.end();
          },
        }));
    },
    async datagramSocket(next, address) {
      const at = typeof address === "string" ? undefined : address;
      const place = places.take();
      if (place === undefined) throw noPlace("bind", at);
      return await withPlace(place, () =>
        next({
          check: (operation) => operation === "receive" && bytesIn.check(operation, at),
          incoming: bytesIn.bytesOf("receive", () => at),
          outgoing: bytesOut.bytesOf("send", () => at),
          gone: place,
        }));
    },
    async getAddrInfo(next, name) {
      if (isLookedUp(name)) lookups.takeOne("lookup", name);
      return await next();
    },
    async getNameInfo(next, address) {
      lookups.takeOne("lookup", address);
      return await next();
    },
    async getServices(next, name) {
      lookups.takeOne("lookup", name);
      return await next();
    },
    addresses: (next, name) => askedBy(next(), () => isLookedUp(name) && lookups.takeOne("lookup", name)),
  });
}
