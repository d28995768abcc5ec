// Copyright 2026 the Sluice authors. MIT license.

import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { systemClock } from "../../switch/clock.ts";
import type { StreamAddress } from "../address.ts";
import { IpAddress } from "../ip_address.ts";
import type { Attempt, NetProvider, ProviderConnectOptions, ProviderStream } from "../provider.ts";
import { listenNode, type Permit } from "./node_listener.ts";
import { NodeStream, unnamed } from "./node_stream.ts";

/**
 * The system's network through `node:net` and `node:dns`, which all three runtimes have.
 *
 * @param permit Asked before each system call, for a runtime whose `node:net` throws its refusals where nobody can catch them.
 */
export function nodeProvider(permit: Permit): NetProvider {
  return {
    features: new Set(["reusePort", "abstractUnix"] as const),
    clock: systemClock,
    connect: (address, options) => connectNode(address, options, permit),
    listen: (address, options) => listenNode(address, options, permit),
    // getaddrinfo cannot be stopped: what it finds too late is dropped.
    lookup: (name) => ({ result: lookupNode(name), cancel: () => {} }),
  };
}

function connectNode(
  address: StreamAddress,
  options: ProviderConnectOptions,
  permit: Permit,
): Attempt<ProviderStream> {
  permit("connect", address);
  const target = address.transport === "unix" ? { path: address.path } : {
    host: address.ip.toString(),
    port: address.port,
    ...bound(options.bindTo),
  };
  const socket = connect({ ...target, allowHalfOpen: true });
  const stream = new NodeStream(socket);
  const result = new Promise<ProviderStream>((resolve, reject) => {
    const failed = () => reject(stream.error);
    socket.once("close", failed);
    socket.once("connect", () => {
      socket.off("close", failed);
      socket.pause();
      resolve(stream.named(unnamed, address));
    });
  });
  return { result, cancel: () => stream.abort() };
}

function bound(from: StreamAddress | undefined): { localAddress?: string; localPort?: number } {
  if (from?.transport !== "tcp") return {};
  return { localAddress: from.ip.toString(), localPort: from.port };
}

async function lookupNode(name: string): Promise<readonly IpAddress[]> {
  const answers = await lookup(name, { all: true, verbatim: true });
  return answers.map(({ address }) => IpAddress.parse(address));
}
