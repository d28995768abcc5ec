// Copyright 2026 the Sluice authors. MIT license.

import type { Switch } from "../../switch/internal.ts";
import {
  type DatagramAddress,
  type DatagramOptions,
  type DatagramSocket,
  labelled,
  NetError,
  netErrorFrom,
  openOwned,
} from "../internal.ts";
import { checkDatagramSocket } from "./_checked_arguments.ts";
import { OptionState, supportedOptionsOf } from "./_option_state.ts";
import { SystemDatagramSocket } from "./_system_datagram_socket.ts";
import type { NetProvider } from "./provider.ts";

/** Implements {@linkcode Net.datagramSocket}. */
export async function openDatagramSocket<A extends DatagramAddress>(
  provider: NetProvider,
  sw: Switch,
  address: A | "udp4" | "udp6",
  options: DatagramOptions | undefined,
): Promise<DatagramSocket<A>> {
  const supportedAt = (at: DatagramAddress) => supportedOptionsOf(provider, "udp", at);
  const { at, options: checked, initialOptions } = checkDatagramSocket(sw, address, options, supportedAt);
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
      const state = new OptionState(end.local, supportedAt(at), end, initialOptions);
      return new SystemDatagramSocket(end, checked.remote, state, sw, hook);
    },
    discard: (end) => end.close(),
    failure: (cause) => netErrorFrom(cause, { operation: "bind", address: at }),
  });
  return socket as DatagramSocket as DatagramSocket<A>;
}
