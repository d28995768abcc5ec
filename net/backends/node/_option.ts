// Copyright 2026 the Sluice authors. MIT license.

/** Socket options through `node:net` and `node:dgram`. */
import type { Socket as DatagramSocket } from "node:dgram";
import { Socket } from "node:net";
import type { GroupMembership, SocketOptionName, SocketOptionValue, SourceMembership } from "../../internal.ts";
import type { ProviderOptions, SocketKind } from "../../provider/internal.ts";
import type { NodeQuirks } from "./_quirks.ts";

/** Methods that only newer runtimes have. */
interface NewerSocket {
  setTypeOfService?(value: number): void;
  getTypeOfService?(): number;
  setKeepAlive(enable: boolean, idle?: number, interval?: number, count?: number): unknown;
}

type Setter = (socket: DatagramSocket, value: SocketOptionValue) => void;

/** Returns an IPv6 interface in the form that `node:dgram` takes. */
const scoped = (name: unknown) => name === undefined ? undefined : `::%${name}`;
const addressed = (ip: unknown) => ip === undefined ? undefined : String(ip);

const datagramSetters: Readonly<Partial<Record<SocketOptionName, Setter>>> = {
  SO_BROADCAST: (socket, value) => socket.setBroadcast(value as boolean),
  SO_RCVBUF: (socket, value) => socket.setRecvBufferSize(value as number),
  SO_SNDBUF: (socket, value) => socket.setSendBufferSize(value as number),
  IP_TTL: (socket, value) => socket.setTTL(value as number),
  IP_MULTICAST_TTL: (socket, value) => socket.setMulticastTTL(value as number),
  IP_MULTICAST_LOOP: (socket, value) => socket.setMulticastLoopback(value as boolean),
  IP_MULTICAST_IF: (socket, value) => socket.setMulticastInterface(String(value)),
  IP_ADD_MEMBERSHIP: (socket, value) => {
    const { group, interface: through } = value as GroupMembership;
    socket.addMembership(String(group), addressed(through));
  },
  IP_DROP_MEMBERSHIP: (socket, value) => {
    const { group, interface: through } = value as GroupMembership;
    socket.dropMembership(String(group), addressed(through));
  },
  IP_ADD_SOURCE_MEMBERSHIP: (socket, value) => {
    const { group, source, interface: through } = value as SourceMembership;
    socket.addSourceSpecificMembership(String(source), String(group), addressed(through));
  },
  IP_DROP_SOURCE_MEMBERSHIP: (socket, value) => {
    const { group, source, interface: through } = value as SourceMembership;
    socket.dropSourceSpecificMembership(String(source), String(group), addressed(through));
  },
  IPV6_UNICAST_HOPS: (socket, value) => socket.setTTL(value as number),
  IPV6_MULTICAST_HOPS: (socket, value) => socket.setMulticastTTL(value as number),
  IPV6_MULTICAST_LOOP: (socket, value) => socket.setMulticastLoopback(value as boolean),
  IPV6_MULTICAST_IF: (socket, value) => socket.setMulticastInterface(scoped(value) as string),
  IPV6_JOIN_GROUP: (socket, value) => {
    const { group, interface: through } = value as GroupMembership;
    socket.addMembership(String(group), scoped(through));
  },
  IPV6_LEAVE_GROUP: (socket, value) => {
    const { group, interface: through } = value as GroupMembership;
    socket.dropMembership(String(group), scoped(through));
  },
};

/** Returns the options that this runtime can set, by kind of socket. */
export function supportedOptions(quirks: NodeQuirks): Readonly<Record<SocketKind, ReadonlySet<SocketOptionName>>> {
  const newer = Socket.prototype as NewerSocket;
  const tcp: SocketOptionName[] = ["TCP_NODELAY", "SO_KEEPALIVE", "TCP_KEEPIDLE"];
  if (newer.setKeepAlive.length >= 4) tcp.push("TCP_KEEPINTVL", "TCP_KEEPCNT");
  if (newer.setTypeOfService !== undefined) tcp.push("IP_TOS", "IPV6_TCLASS");
  const without = (kind: SocketKind, names: readonly SocketOptionName[]) =>
    new Set(names.filter((name) => !quirks.options[kind]?.includes(name)));
  return {
    tcp: without("tcp", tcp),
    tcpListener: without("tcpListener", [...tcp, "IPV6_V6ONLY"]),
    udp: without("udp", [...Object.keys(datagramSetters) as SocketOptionName[], "IPV6_V6ONLY"]),
  };
}

/** Sets an option of a datagram socket. */
export function setDatagramOption(socket: DatagramSocket, name: SocketOptionName, value: SocketOptionValue): void {
  datagramSetters[name]?.(socket, value);
}

/** Returns the value that the system reports for an option of a datagram socket. */
export function getDatagramOption(socket: DatagramSocket, name: SocketOptionName): number | undefined {
  if (name === "SO_RCVBUF") return socket.getRecvBufferSize();
  if (name === "SO_SNDBUF") return socket.getSendBufferSize();
  return undefined;
}

/** The options of a TCP connection. Every backend opens connections with TCP_NODELAY set. */
export class NodeTcpOptions implements ProviderOptions {
  readonly #socket: Socket & NewerSocket;
  #noDelay = true;
  #keepAlive = false;
  #idle: number | undefined;
  #interval: number | undefined;
  #count: number | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    switch (name) {
      case "TCP_NODELAY":
        this.#socket.setNoDelay(value as boolean);
        this.#noDelay = value as boolean;
        return;
      case "IP_TOS":
      case "IPV6_TCLASS":
        if (this.#isMapped()) {
          throw unsupported("On an IPv4 connection of an IPv6 socket, the runtime would set the IPv6 traffic class");
        }
        this.#socket.setTypeOfService?.(value as number);
        return;
      case "SO_KEEPALIVE":
        this.#keepAlive = value as boolean;
        break;
      case "TCP_KEEPIDLE":
        this.#idle = value as number;
        break;
      default:
        if (this.#idle === undefined) throw unsupported("The runtime sets it only after TCP_KEEPIDLE");
        if (name === "TCP_KEEPINTVL") this.#interval = value as number;
        else this.#count = value as number;
    }
    // The runtime sets all four at once, and times only while keep-alive is on: they are stored.
    if (!this.#keepAlive) this.#socket.setKeepAlive(false);
    else this.#socket.setKeepAlive(true, milliseconds(this.#idle), milliseconds(this.#interval), this.#count);
  }

  getOption(name: SocketOptionName): number | boolean | undefined {
    if (name === "TCP_NODELAY") return this.#noDelay;
    const asks = (name === "IP_TOS" || name === "IPV6_TCLASS") && !this.#isMapped();
    return asks ? this.#socket.getTypeOfService?.() : undefined;
  }

  #isMapped(): boolean {
    return /^::ffff:.*\./i.test(this.#socket.localAddress ?? "");
  }
}

function milliseconds(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000;
}

function unsupported(reason: string): Error {
  return Object.assign(new Error(reason), { code: "ENOTSUP" });
}
