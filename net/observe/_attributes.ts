// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../../base/internal.ts";
import { type Address, type HostAddress, NetError } from "../internal.ts";
import type { NetAttributes } from "./net_event.ts";

/** Returns the attributes of the target of a connect. */
export function targetAttributes(target: Address | HostAddress): NetAttributes {
  if (target.transport === "unix") return { "network.transport": "unix", "server.address": target.path };
  if (target.transport === "host") {
    return { "network.transport": "tcp", "server.address": target.name, "server.port": target.port };
  }
  const { transport, ip, port } = target;
  return { "network.transport": transport, "server.address": ip.text, "server.port": port };
}

/** Returns the attributes of a local address. */
export function localAttributes(local: Address): NetAttributes {
  if (local.transport === "unix") return { "network.transport": "unix", "network.local.address": local.path };
  const { transport, ip, port } = local;
  return {
    "network.transport": transport,
    "network.type": ip.version === 4 ? "ipv4" : "ipv6",
    "network.local.address": ip.text,
    "network.local.port": port,
  };
}

/** Returns the attributes of the peer's address. */
function peerAttributes(peer: Address): NetAttributes {
  if (peer.transport === "unix") return { "network.peer.address": peer.path };
  return { "network.peer.address": peer.ip.text, "network.peer.port": peer.port };
}

/** Returns the attributes of both addresses of a connection. */
export function bothAttributes({ local, peer }: { readonly local: Address; readonly peer: Address }): NetAttributes {
  return { ...localAttributes(local), ...peerAttributes(peer) };
}

/** Returns the `error.type` of an error. */
export function errorType(error: unknown): string {
  if (isInstance(error, NetError)) return error.code;
  return isInstance(error, Error) ? error.name : "_OTHER";
}
