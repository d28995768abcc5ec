// Copyright 2026 the Sluice authors. MIT license.

import { connect } from "node:net";
import { guard } from "../../../base/internal.ts";
import { systemClock } from "../../../switch/internal.ts";
import type { NetFeature, StreamAddress, UdpAddress } from "../../internal.ts";
import type { Attempt } from "../../internal.ts";
import type { NetProvider, ProviderConnectOptions, ProviderStream } from "../../provider/internal.ts";
import type { NameProvider } from "../dns/internal.ts";
import { hostText, type PermissionCheck, unnamed } from "../shared/internal.ts";
import { descriptorLimitError, isOutOfDescriptors } from "../unix/internal.ts";
import { datagramNode } from "./_datagram.ts";
import { listenNode } from "./_listener.ts";
import { supportedOptions } from "./_option.ts";
import type { NodeQuirks } from "./_quirks.ts";
import { NodeStream } from "./_stream.ts";

const features: readonly NetFeature[] = [
  "reset",
  "reusePort",
  "ipv6Only",
  "abstractUnix",
  "datagrams",
  "datagramReusePort",
  "datagramErrors",
  "multicast",
];

/**
 * Returns the system's network through `node:net`, `node:dgram` and `node:dns`, which all three
 * runtimes have.
 *
 * @param permit Called before each system call, for a runtime whose `node:net` throws permission
 * errors where no caller can catch them.
 * @param names The resolver to use.
 * @param quirks The defects of this runtime.
 */
export function nodeProvider(permit: PermissionCheck, names: NameProvider, quirks: NodeQuirks): NetProvider {
  return {
    features: new Set(features.filter((feature) => !quirks.features.includes(feature))),
    socketOptions: supportedOptions(quirks),
    clock: systemClock,
    connect: (address, options) => connectNode(address, options, permit, quirks),
    listen: (address, options) => listenNode(address, options, permit, quirks),
    // The address is always UDP: `unixDatagrams` is not a feature.
    datagram: (address, options) => datagramNode(address as UdpAddress, options, permit, quirks.maxSendsInFlight),
    ...names,
  };
}

function connectNode(
  address: StreamAddress,
  options: ProviderConnectOptions,
  permit: PermissionCheck,
  quirks: NodeQuirks,
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
      reject(quirks.hidesDescriptorLimit && isOutOfDescriptors() ? descriptorLimitError(stream.error) : stream.error);
    socket.once("close", failed);
    const connected = guard(() => {
      socket.pause();
      stream.readAddresses(unnamed, address);
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
