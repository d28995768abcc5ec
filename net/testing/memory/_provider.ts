// Copyright 2026 the Sluice authors. MIT license.

import type { Attempt } from "../../internal.ts";
import type { Clock } from "../../../switch/mod.ts";
import {
  type Address,
  type DatagramAddress,
  IpAddress,
  type NetFeature,
  type ServiceRecord,
  type SocketOptionName,
  type StreamAddress,
  tcp,
  type TcpAddress,
  udp,
  type UdpAddress,
} from "../../mod.ts";
import type {
  NetProvider,
  ProviderConnectOptions,
  ProviderDatagram,
  ProviderDatagramOptions,
  ProviderListener,
  ProviderListenOptions,
  ProviderStream,
  SocketKind,
} from "../../provider/internal.ts";
import { MemoryDatagram } from "./_datagram.ts";
import { bare, type Hosts, isLoopback4 } from "./_hosts.ts";
import { MemoryListener } from "./_listener.ts";
import { type Bound, covers, type Interface, isWildcard, Ports } from "./_ports.ts";
import { systemError } from "./_system_error.ts";
import { Turn } from "./_turn.ts";
import { UnixSockets } from "./_unix.ts";

/** The options of connections that can be set. */
const connectionOptions: readonly SocketOptionName[] = [
  "TCP_NODELAY",
  "SO_KEEPALIVE",
  "TCP_KEEPIDLE",
  "TCP_KEEPINTVL",
  "TCP_KEEPCNT",
  "IP_TOS",
  "IPV6_TCLASS",
];

/** The options of datagram sockets that can be set. */
const datagramOptions: readonly SocketOptionName[] = [
  "SO_BROADCAST",
  "SO_RCVBUF",
  "SO_SNDBUF",
  "IP_TTL",
  "IPV6_UNICAST_HOPS",
  "IPV6_V6ONLY",
];

/** What a network in memory, or a simulated one, can do. */
export const memoryFeatures: ReadonlySet<NetFeature> = new Set<NetFeature>([
  "pullAccept",
  "acceptErrors",
  "reset",
  "reusePort",
  "ipv6Only",
  "abstractUnix",
  "datagrams",
  "datagramReusePort",
  "datagramErrors",
]);

/** The options that its sockets have. */
export const memoryOptions: Readonly<Record<SocketKind, ReadonlySet<SocketOptionName>>> = {
  tcp: new Set(connectionOptions),
  tcpListener: new Set([...connectionOptions, "IPV6_V6ONLY"]),
  udp: new Set(datagramOptions),
};

/** The system of a memory network: one host on which everything sent arrives at once. */
export class MemoryProvider implements NetProvider {
  readonly features: ReadonlySet<NetFeature> = memoryFeatures;
  readonly socketOptions: Readonly<Record<SocketKind, ReadonlySet<SocketOptionName>>> = memoryOptions;
  readonly clock: Clock;
  readonly #hosts: Hosts;
  readonly #turn: Turn = new Turn();
  readonly #tcp: Ports<MemoryListener> = new Ports();
  readonly #udp: Ports<MemoryDatagram> = new Ports();
  readonly #unix: UnixSockets = new UnixSockets(this.#turn);

  constructor(clock: Clock, hosts: Hosts) {
    this.clock = clock;
    this.#hosts = hosts;
  }

  connect(address: StreamAddress, { bindTo }: ProviderConnectOptions): Attempt<ProviderStream> {
    return address.transport === "unix"
      ? this.#unix.connect(address)
      : this.#connectTcp(address, bindTo as TcpAddress | undefined);
  }

  listen(address: StreamAddress, options: ProviderListenOptions): Attempt<ProviderListener> {
    return settled(
      address.transport === "unix" ? this.#unix.listen(address, options.backlog) : this.#listenTcp(address, options),
    );
  }

  datagram(address: DatagramAddress, options: ProviderDatagramOptions): Attempt<ProviderDatagram> {
    // Always UDP: `unixDatagrams` is not a feature.
    const { ip: asked, port } = address as UdpAddress;
    const { reuseAddr, reusePort, ipv6Only } = options;
    const request = { ip: this.#ownIp(asked, address), port, ipv6Only, shares: reuseAddr || reusePort };
    const remote = options.remote as UdpAddress | undefined;
    const target = remote === undefined ? undefined : this.#targetOf(remote, "connect");
    const source = target === undefined ? request.ip : sourceOf(request, target, "connect");
    const bound = this.#udp.bind(request, (port) => udp(asked, port));
    const peer = target === undefined ? undefined : udp(target, (remote as UdpAddress).port);
    bound.owner = new MemoryDatagram(udp(source, bound.port), peer, {
      deliver: (data, to) => this.#deliver(bound, data, to),
      turn: this.#turn,
      release: bound.release,
    });
    return settled(bound.owner);
  }

  lookup(name: string): Attempt<readonly IpAddress[]> {
    return settled(this.#hosts.lookup(name));
  }

  lookupName(ip: IpAddress): Attempt<readonly string[]> {
    return settled(this.#hosts.lookupName(ip));
  }

  lookupServices(name: string): Attempt<readonly ServiceRecord[]> {
    return settled(this.#hosts.lookupServices(name));
  }

  #listenTcp(address: TcpAddress, options: ProviderListenOptions): MemoryListener {
    const { ipv6Only, reusePort: shares, backlog } = options;
    const ip = this.#ownIp(address.ip, address);
    const bound = this.#tcp.bind({ ip, port: address.port, ipv6Only, shares }, (port) => tcp(address.ip, port));
    return bound.owner = new MemoryListener(tcp(address.ip, bound.port), backlog, bound.release);
  }

  #connectTcp(address: TcpAddress, bindTo: TcpAddress | undefined): Attempt<ProviderStream> {
    const target = this.#targetOf(address, "connect");
    const any = target.version === 4 ? IpAddress.any4 : IpAddress.any6;
    const from = bindTo === undefined ? any : this.#ownIp(bindTo.ip, bindTo);
    const ip = sourceOf({ ip: from }, target, "connect");
    const bound = this.#tcp.bind({ ip, port: bindTo?.port ?? 0 }, (port) => tcp(ip, port));
    const listener = this.#tcp.find(target, address.port);
    if (listener === undefined) {
      bound.release();
      throw systemError("ECONNREFUSED", "connect", address);
    }
    return listener.connect(this.#turn, tcp(ip, bound.port), tcp(target, address.port), bound.release);
  }

  #deliver(bound: Bound<MemoryDatagram>, data: Uint8Array<ArrayBuffer>, to: UdpAddress): boolean {
    const target = this.#targetOf(to, "send");
    const from = udp(sourceOf(bound, target, "send"), bound.port);
    const rank = (other: MemoryDatagram) => other.remote === undefined ? 1 : other.accepts(from) ? 2 : 0;
    const receiver = this.#udp.find(target, to.port, rank);
    receiver?.receive({ data, from });
    return receiver !== undefined;
  }

  /** Returns the address that something is sent to. As on Linux, the wildcard means this host. */
  #targetOf(address: TcpAddress | UdpAddress, syscall: string): IpAddress {
    const ip = bare(address.ip);
    if (isWildcard(ip)) return ip.version === 4 ? IpAddress.loopback4 : IpAddress.loopback6;
    if (this.#hosts.has(ip)) return ip;
    throw systemError("ENETUNREACH", syscall, address);
  }

  /** Returns the address to bind, which must be one of the host's own. */
  #ownIp(asked: IpAddress, address: Address): IpAddress {
    const ip = bare(asked);
    if (isWildcard(ip) || this.#hosts.has(ip)) return ip;
    throw systemError("EADDRNOTAVAIL", "bind", address);
  }
}

/** Returns the source address of what a binding sends to `target`. */
function sourceOf(bound: Interface, target: IpAddress, syscall: string): IpAddress {
  if (!isWildcard(bound.ip) && bound.ip.version === target.version) return bound.ip;
  if (isWildcard(bound.ip) && covers(bound, target)) return isLoopback4(target) ? IpAddress.loopback4 : target;
  throw systemError("ENETUNREACH", syscall);
}

/** Returns an attempt that has already succeeded. */
function settled<T>(value: T): Attempt<T> {
  return { result: Promise.resolve(value), cancel: () => {} };
}
