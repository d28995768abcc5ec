// Copyright 2026 the Sluice authors. MIT license.

import type { Address, HostAddress, Net, StreamSocket } from "../internal.ts";
import { type ConnectionHooks, wrapNet } from "../wrap/mod.ts";
import { Revocation } from "./_revocation.ts";

/**
 * Makes a network that can be taken away (a caretaker): until then it does what `net` does.
 *
 * `revoke` is synchronous, and only its first call does something. It
 *
 * - rejects every pending operation of the network and of what was opened through it: connects,
 *   accepts, lookups, reads, writes, sends and receives;
 * - closes everything that was opened through it: resets connections, and closes listeners, with
 *   the connections that wait in their backlog, and datagram sockets. A connect that succeeds later
 *   is closed, and not returned;
 * - makes every later operation fail. `close`, `abort` and `shutdown` still work.
 *
 * The errors are {@linkcode NetError} with the code `permission_denied` and the reason as the
 * cause. An operation that was pending and is not awaited causes no unhandled rejection.
 *
 * A network that is derived from this one is revoked with it: {@linkcode limit}, {@linkcode meter}
 * and other wrappers. `net` itself, and what was opened through it, are not affected. A borrower of
 * `lend`, or a sink of `copy`, that is still taking bytes when the connection is revoked is waited
 * for, as when the connection is aborted.
 *
 * It lasts as long as it is reachable; nothing remains of a socket once it is closed.
 *
 * Source: the caretaker of Redell (1974), and Miller, "Robust Composition" (2006).
 *
 * @param net The network, which may itself be a wrapper.
 * @returns The network, and the function that revokes it, with the reason.
 * @throws {TypeError} If `net` is not a network.
 *
 * @example A plug-in that loses its network
 * ```ts
 * import { NetError, Switch, tcp } from "@sluice/io";
 * import { revocable } from "@sluice/io/net/confine";
 * import { memoryNet } from "@sluice/io/net/testing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const { net, revoke } = revocable(memoryNet());
 * await Switch.run(async (sw) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 80));
 *   const accepting = assertRejects(() => listener.accept(sw), NetError);
 *   const reason = new Error("The plug-in was removed");
 *   revoke(reason);
 *   const { code, cause } = await accepting;
 *   assertEquals([code, cause], ["permission_denied", reason]);
 *   await assertRejects(() => net.connect(sw, listener.address), NetError, "permission denied");
 * });
 * ```
 */
export function revocable(net: Net): { net: Net; revoke(reason?: unknown): void } {
  const revocation = new Revocation();

  /** Opens a connection, which a revocation closes. */
  async function connection(
    operation: string,
    target: Address | HostAddress,
    open: (hooks: ConnectionHooks) => Promise<StreamSocket>,
  ): Promise<StreamSocket> {
    let peer = target; // until it is known
    const opened = await revocation.open(operation, target, (gone) =>
      open({
        check: (operation) => revocation.check(operation, addressFor(operation, peer)),
        failed: (error, operation) => revocation.failure(error, operation, peer),
        gone,
      }));
    peer = opened.peer;
    return opened;
  }

  const revocableNet = wrapNet(net, {
    connect: (next, target) => connection("connect", target, next),
    listen: (next, address) =>
      revocation.open("listen", address, (gone) =>
        next({
          check: (operation) => revocation.check(operation, addressFor(operation, address)),
          accept: (next) => connection("accept", address, next),
          gone,
        })),
    datagramSocket: (next, address) =>
      revocation.open("bind", typeof address === "string" ? undefined : address, (gone) =>
        next({
          check: (operation, to) => revocation.check(operation, to),
          failed: (error, operation) => revocation.failure(error, operation, undefined),
          gone,
        })),
    getAddrInfo: (next, name) => revocation.run("lookup", name, next),
    getNameInfo: (next, address) => revocation.run("lookup", address, next),
    getServices: (next, name) => revocation.run("lookup", name, next),
    addresses: (next, name) => revocation.iterate(name, next),
  });
  return Object.freeze({ net: revocableNet, revoke: (reason?: unknown) => revocation.revoke(reason) });
}

/** Returns the target of an operation for its error: an option has none. */
function addressFor(operation: string, address: Address | HostAddress): Address | HostAddress | undefined {
  return operation === "setOption" || operation === "getOption" ? undefined : address;
}
