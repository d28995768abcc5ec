// Copyright 2026 the Sluice authors. MIT license.

import type { Net } from "../internal.ts";
import { type ConnectionHooks, wrapNet } from "../wrap/mod.ts";
import { askedBy, isLookedUp, nameToLookUp } from "./_lookup.ts";

/** What was done through a network that {@linkcode meter} counts, up to one moment. */
export interface NetUsage {
  /** How many sockets are open now: connections, made and accepted, listeners, datagram sockets. */
  readonly sockets: number;
  /** How many times `connect` was called, whatever came of it. */
  readonly connects: number;
  /** How many connections were accepted. */
  readonly accepts: number;
  /**
   * How many times something was looked up, whatever came of it: by `getAddrInfo`, `getNameInfo`,
   * `getServices`, an iteration of `addresses`, or `connect` to a name. The literal of an IP
   * address is not looked up.
   */
  readonly lookups: number;
  /** How many bytes were received, by connections and as datagrams. */
  readonly bytesIn: number;
  /** How many bytes were sent, by connections and as datagrams. */
  readonly bytesOut: number;
  /** How many datagrams were received. */
  readonly datagramsIn: number;
  /** How many datagrams were sent. */
  readonly datagramsOut: number;
}

/**
 * Counts what is done through a network.
 *
 * A byte counts when a read, or a borrower, has taken it, or when a write has taken it: bytes that
 * wait in a buffer of the system, and what a cancelled operation has left, do not. Of a datagram
 * that is longer than the buffer of `recv`, the bytes delivered count. A socket is open until it is
 * closed, aborted or broken, or its switch has ended. The counts are exact on every path, the
 * fast paths of `copy` and the buffers included. One that reaches `Number.MAX_SAFE_INTEGER` stays
 * there, instead of becoming inexact.
 *
 * @param net The network, which may itself be a wrapper.
 * @returns The counted network, and a function that returns a frozen snapshot of its counts.
 * @throws {TypeError} If `net` is not a network.
 *
 * @example What a program has used
 * ```ts
 * import { both, copyString, readAll, Switch, tcp } from "@sluice/io";
 * import { meter } from "@sluice/io/net/confine";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const { net, usage } = meter(memoryNet());
 * await Switch.run(async (sw) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 80));
 *   const [client, server] = await both(
 *     () => net.connect(sw, listener.address),
 *     () => listener.accept(sw),
 *   );
 *   await copyString("hello", client);
 *   await client.shutdown("send");
 *   await readAll(server);
 *   const { sockets, connects, accepts, bytesIn, bytesOut } = usage();
 *   assertEquals([sockets, connects, accepts, bytesIn, bytesOut], [3, 1, 1, 5, 5]);
 * });
 * assertEquals(usage().sockets, 0);
 * ```
 */
export function meter(net: Net): { net: Net; usage(): NetUsage } {
  const counts = {
    sockets: 0,
    connects: 0,
    accepts: 0,
    lookups: 0,
    bytesIn: 0,
    bytesOut: 0,
    datagramsIn: 0,
    datagramsOut: 0,
  };
  const add = (name: keyof NetUsage, size = 1) => {
    counts[name] = Math.min(counts[name] + size, Number.MAX_SAFE_INTEGER);
  };
  const received = (size: number) => add("bytesIn", size);
  const sent = (size: number) => add("bytesOut", size);

  /** Counts a socket as open until it is gone. */
  async function opened<T>(open: (gone: () => void) => Promise<T>): Promise<T> {
    let state: "opening" | "open" | "gone" = "opening";
    const socket = await open(() => {
      if (state === "open") counts.sockets--;
      state = "gone";
    });
    if (state === "opening") {
      state = "open";
      add("sockets");
    }
    return socket;
  }

  const connectionHooks = (gone: () => void): ConnectionHooks => ({ received, sent, gone });

  const metered = wrapNet(net, {
    connect(next, target) {
      add("connects");
      if (nameToLookUp(target) !== undefined) add("lookups");
      return opened((gone) => next(connectionHooks(gone)));
    },
    listen: (next) =>
      opened((gone) =>
        next({
          async accept(next) {
            const connection = await opened((gone) => next(connectionHooks(gone)));
            add("accepts");
            return connection;
          },
          gone,
        })
      ),
    datagramSocket: (next) =>
      opened((gone) =>
        next({
          received(size) {
            add("datagramsIn");
            received(size);
          },
          sent(size) {
            add("datagramsOut");
            sent(size);
          },
          gone,
        })
      ),
    getAddrInfo(next, name) {
      if (isLookedUp(name)) add("lookups");
      return next();
    },
    getNameInfo(next) {
      add("lookups");
      return next();
    },
    getServices(next) {
      add("lookups");
      return next();
    },
    addresses: (next, name) => askedBy(next(), () => isLookedUp(name) && add("lookups")),
  });
  return Object.freeze({ net: metered, usage: () => Object.freeze({ ...counts }) });
}
