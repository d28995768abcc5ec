// Copyright 2026 the Sluice authors. MIT license.

import { connect } from "node:net";
import { systemClock } from "../../switch/clock.ts";
import type { StreamAddress, UdpAddress } from "../address.ts";
import type { Attempt, NetProvider, ProviderConnectOptions, ProviderStream } from "../provider.ts";
import type { NetFeature } from "../types.ts";
import { guard } from "./guard.ts";
import { datagramNode } from "./node_datagram.ts";
import type { NameProvider } from "./node_dns.ts";
import type { NodeGaps } from "./node_gaps.ts";
import { listenNode, type Permit } from "./node_listener.ts";
import { reachableOptions } from "./node_option.ts";
import { NodeStream } from "./node_stream.ts";
import { hostText, unnamed } from "./peer.ts";
import { isOutOfDescriptors, noFileLeft } from "./unix_probe.ts";

const features: readonly NetFeature[] = [
  "reusePort",
  "ipv6Only",
  "abstractUnix",
  "datagrams",
  "datagramReusePort",
  "datagramErrors",
  "multicast",
];

/**
 * The system's network through `node:net` and `node:dns`, which all three runtimes have.
 *
 * @param permit Asked before each system call, for a runtime whose `node:net` throws its refusals where nobody can catch them.
 * @param names Whom it asks for names.
 * @param gaps What this runtime says it does, and does not.
 */
export function nodeProvider(permit: Permit, names: NameProvider, gaps: NodeGaps): NetProvider {
  return {
    features: new Set(features.filter((feature) => !gaps.features.includes(feature))),
    socketOptions: reachableOptions(gaps),
    clock: systemClock,
    connect: (address, options) => connectNode(address, options, permit, gaps),
    listen: (address, options) => listenNode(address, options, permit, gaps),
    datagram: (address, options) => datagramNode(address as UdpAddress, options, permit, gaps.sendsAtOnce), // for there are no unixDatagrams
    ...names,
  };
}

function connectNode(
  address: StreamAddress,
  options: ProviderConnectOptions,
  permit: Permit,
  gaps: NodeGaps,
): Attempt<ProviderStream> {
  permit("connect", address);
  const target = address.transport === "unix" ? { path: address.path } : {
    host: hostText(address.ip),
    port: address.port,
    ...bound(options.bindTo),
  };
  const socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
  const stream = new NodeStream(socket);
  const result = new Promise<ProviderStream>((resolve, reject) => {
    const failed = () =>
      reject(gaps.hidesLackOfFiles && isOutOfDescriptors() ? noFileLeft(stream.error) : stream.error);
    socket.once("close", failed);
    const connected = guard(() => {
      socket.pause();
      stream.named(unnamed, address);
      socket.off("close", failed);
      resolve(stream);
    }, (error) => {
      reject(error);
      stream.abort();
    });
    socket.once("connect", connected);
  });
  return { result, cancel: () => stream.abort() };
}

function bound(from: StreamAddress | undefined): { localAddress?: string; localPort?: number } {
  if (from?.transport !== "tcp") return {};
  return { localAddress: hostText(from.ip), localPort: from.port };
}
