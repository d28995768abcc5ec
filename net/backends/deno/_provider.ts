// Copyright 2026 the Sluice authors. MIT license.

import type { Attempt, NetFeature, StreamAddress } from "../../internal.ts";
import type { NetProvider, ProviderStream } from "../../provider/internal.ts";
import type { NameProvider } from "../dns/internal.ts";
import { denoQuirks, nodeProvider } from "../node/internal.ts";
import { type PermissionCheck, tcpEnd, unnamed } from "../shared/internal.ts";
import type { DenoApi, DenoConn } from "./_api.ts";
import { listenDeno } from "./_listener.ts";
import { areNative } from "./_options.ts";
import { DenoStream } from "./_stream.ts";

/** What Deno's own sockets add. They cannot reset a connection. */
const nativeFeatures: readonly NetFeature[] = ["pullAccept", "acceptErrors"];

/**
 * Returns the system's network on Deno. TCP and Unix sockets are Deno's own, which cost less than
 * those of `node:net`, and accept only when asked to. What Deno's own cannot do is left to the
 * provider that the runtimes share: sharing a port, connecting from an address, zones of IPv6
 * addresses, times of keep-alive, and datagrams.
 *
 * @param permit Called before each system call: its error says which permission is missing.
 * @param names The resolver to use.
 */
export function denoProvider(deno: DenoApi, permit: PermissionCheck, names: NameProvider): NetProvider {
  const shared = nodeProvider(permit, names, denoQuirks);
  const features = new Set([...shared.features, ...nativeFeatures]);
  features.delete("reset");
  return {
    ...shared,
    features,
    connect(address, options) {
      const isNative = options.bindTo === undefined && isPlain(address) && areNative(options.optionNames);
      return isNative ? connectDeno(deno, address, permit) : shared.connect(address, options);
    },
    listen(address, options) {
      const isNative = !options.reusePort && isPlain(address) && areNative(options.optionNames);
      return isNative ? listenDeno(deno, address, options, permit) : shared.listen(address, options);
    },
  };
}

/** Reports whether Deno's own sockets can use an address: not one with a zone. */
function isPlain(address: StreamAddress): boolean {
  return address.transport === "unix" || address.ip.zone === undefined;
}

function connectDeno(deno: DenoApi, address: StreamAddress, permit: PermissionCheck): Attempt<ProviderStream> {
  permit("connect", address);
  const cancelling = new AbortController();
  const { signal } = cancelling;
  // Where a connection opens as it is cancelled, Deno calls this, and would lose the connection.
  signal.throwIfAborted = () => {};
  const connecting = address.transport === "unix"
    ? deno.connect({ transport: "unix", path: address.path })
    : deno.connect({ hostname: String(address.ip), port: address.port, signal, autoSelectFamily: false });
  const result = connecting.then((conn: DenoConn) => {
    const stream = new DenoStream(conn, address.transport === "unix" ? unnamed : endOf(conn), address);
    if (!signal.aborted) return stream;
    stream.abort();
    throw new Error("Connecting was cancelled");
  });
  return { result, cancel: () => cancelling.abort() };
}

function endOf({ localAddr }: DenoConn): StreamAddress {
  return tcpEnd(localAddr.hostname, localAddr.port) ?? unnamed;
}
