// Copyright 2026 the Sluice authors. MIT license.

import { checkBoolean, checkOptions } from "../../base/internal.ts";
import { checkIsSwitch, type Switch } from "../../switch/internal.ts";
import {
  checkDatagramAddress,
  checkUnixPath,
  type DatagramAddress,
  type DatagramOptions,
  type DatagramSocket,
  describeAddress,
  IpAddress,
  labelled,
  NetError,
  netErrorFrom,
  openOwned,
  type SocketOptionEntry,
  type SocketOptionName,
  udp,
} from "../internal.ts";
import { checkSocketOptions, initialOption, OptionState, supportedOptionsOf } from "./_option_state.ts";
import { checkReachable, SystemDatagramSocket, unmapped } from "./_system_datagram_socket.ts";
import type { NetProvider, ProviderDatagramOptions } from "./provider.ts";

/** Implements {@linkcode Net.datagramSocket}. */
export async function openDatagramSocket<A extends DatagramAddress>(
  provider: NetProvider,
  sw: Switch,
  address: A | "udp4" | "udp6",
  options: DatagramOptions | undefined,
): Promise<DatagramSocket<A>> {
  checkIsSwitch(sw, "open a datagram socket");
  const at = bindAddress(address);
  checkOptions("open a datagram socket", options);
  const supportedOptions = supportedOptionsOf(provider, "udp", at);
  const { initialOptions, ...checked } = checkDatagramOptions(at, options ?? {}, supportedOptions);
  const socket = await openOwned({
    sw,
    operation: "bind",
    subject: labelled(at),
    begin: () => {
      if (provider.datagram === undefined || (at.transport === "unix" && !provider.features.has("unixDatagrams"))) {
        throw new NetError("not_supported", { operation: "bind", address: at });
      }
      if (checked.reusePort && !provider.features.has("datagramReusePort")) {
        throw new NetError("not_supported", { operation: "setOption", address: "SO_REUSEPORT" });
      }
      return provider.datagram(at, checked);
    },
    wrap: (end, hook) => {
      const state = new OptionState(end.local, supportedOptions, end, initialOptions);
      return new SystemDatagramSocket(end, checked.remote, state, sw, hook);
    },
    discard: (end) => end.close(),
    failure: (cause) => netErrorFrom(cause, { operation: "bind", address: at }),
  });
  return socket as DatagramSocket as DatagramSocket<A>;
}

/** Returns the checked address to bind. */
export function bindAddress(address: DatagramAddress | "udp4" | "udp6"): DatagramAddress {
  if (address === "udp4") return udp(IpAddress.any4, 0);
  if (address === "udp6") return udp(IpAddress.any6, 0);
  const at = checkDatagramAddress(address);
  if (at.transport === "unix") checkUnixPath(at.path);
  return at;
}

/** Checks the options of {@linkcode Net.datagramSocket} at an address. */
export function checkDatagramOptions(
  at: DatagramAddress,
  options: DatagramOptions,
  supportedOptions: ReadonlySet<SocketOptionName>,
): ProviderDatagramOptions & { initialOptions: readonly SocketOptionEntry[] } {
  const { reuseAddr = false, reusePort = false, remote: target, socketOptions } = options;
  checkBoolean("open a datagram socket", "reuseAddr", reuseAddr);
  checkBoolean("open a datagram socket", "reusePort", reusePort);
  const remote = target === undefined ? undefined : unmapped(checkDatagramAddress(target));
  if (remote !== undefined && (remote.transport !== "unix" || at.transport !== "unix")) {
    checkReachable(`bind to ${describeAddress(at)} and connect to`, remote, at);
  }
  const initialOptions = checkSocketOptions(socketOptions, at, supportedOptions);
  return {
    reuseAddr,
    reusePort,
    ipv6Only: initialOption(initialOptions, "IPV6_V6ONLY") ?? false,
    remote,
    initialOptions,
  };
}
