// Copyright 2026 the Sluice authors. MIT license.

import { describeAddress } from "../../../internal.ts";
import { type Address, IpAddress, tcp, type TcpAddress, type UdpAddress } from "../../../mod.ts";
import {
  bare,
  covers,
  type Interface,
  isLoopback4,
  isWildcard,
  Ports,
  systemError,
  Turn,
  UnixSockets,
} from "../../memory/internal.ts";
import type { Engine } from "../engine/internal.ts";
import { Datagrams } from "./_datagrams.ts";
import type { Network } from "./network.ts";
import type { Packet } from "./_packet.ts";
import type { Path } from "./_path.ts";
import type { SimSocket } from "./socket_info.ts";
import type { Segment, System, TcpEnd } from "./_system.ts";
import { TcpListener } from "./_tcp_listener.ts";
import { TcpConnection, type TcpOwner } from "./_tcp_connection.ts";
import { TcpSocket } from "./_tcp_socket.ts";

/** The part of a host that is its operating system: addresses, ports and sockets. */
export class Kernel implements System {
  readonly name: string;
  /** Its addresses, but those of loopback. */
  readonly ips: readonly IpAddress[];
  readonly network: Network;
  readonly engine: Engine;
  /** Random numbers for the sizes of segments. */
  readonly random: () => number;
  readonly #turn: Turn = new Turn();
  isUp = true;
  /** The most open sockets and listeners. */
  readonly #maxSockets: number;
  #claims = 0;
  #tcp: Ports<TcpListener> = new Ports();
  readonly #datagrams: Datagrams = new Datagrams(this);
  #unix: UnixSockets = new UnixSockets(this.#turn);
  readonly #listeners: Set<TcpListener> = new Set();
  readonly #connections: Set<TcpConnection> = new Set();
  /** The ends of servers, by those of their clients. */
  readonly #incoming: Map<TcpEnd, TcpEnd> = new Map();
  /** The calls that wait for the end of a pause. */
  #untold: (() => void)[] | undefined;
  #pausedUntil = 0;

  constructor(network: Network, name: string, ips: readonly IpAddress[], maxSockets: number) {
    this.network = network;
    this.engine = network.engine;
    this.name = name;
    this.ips = ips;
    this.#maxSockets = maxSockets;
    this.random = network.randomFor(`segments ${name}`);
  }

  get datagrams(): Datagrams {
    return this.#datagrams;
  }

  get unix(): UnixSockets {
    return this.#unix;
  }

  /** Calls code of the host, now or once it is no longer paused. */
  readonly tell = (fn: () => void): void => {
    if (this.#untold !== undefined) return void this.#untold.push(fn);
    this.engine.wake();
    fn();
  };

  /** Pauses the code of the host, but not its system. */
  pause(ms: number): void {
    const until = this.engine.now + ms;
    if (until <= this.#pausedUntil) return;
    this.#pausedUntil = until;
    this.#untold ??= [];
    this.engine.at(until, () => {
      if (this.#pausedUntil !== until) return;
      this.record("resume");
      this.#resume();
    });
  }

  #resume(): void {
    const untold = this.#untold ?? [];
    this.#untold = undefined;
    this.#pausedUntil = 0;
    for (const fn of untold) this.tell(fn);
  }

  record(what: string, from?: string, to?: string, bytes?: number): void {
    this.network.recorder.record(this.name, what, from, to, bytes);
  }

  /** Counts an open socket or listener. Each is uncounted by `unclaim`. */
  claim(syscall: string, address: Address): void {
    if (!this.isUp) throw systemError("ENETDOWN", syscall, address);
    if (this.#claims >= this.#maxSockets) throw systemError("EMFILE", syscall, address);
    this.#claims++;
  }

  unclaim(): void {
    this.#claims--;
  }

  pathTo(remote: System): Path {
    return this.network.path(this, remote);
  }

  reaches(remote: System): boolean {
    return this.network.reaches(this, remote);
  }

  /** Whether timers in the background can end what waits. */
  get canProgress(): boolean {
    for (const connection of this.#connections) if (connection.canProgress) return true;
    return false;
  }

  /**
   * Returns the host at an address, `undefined` if there is none. As on Linux, the wildcard is this
   * host.
   */
  targetOf(address: TcpAddress | UdpAddress, syscall: string): { ip: IpAddress; system: System | undefined } {
    let ip = bare(address.ip);
    if (isWildcard(ip)) ip = ip.version === 4 ? IpAddress.loopback4 : IpAddress.loopback6;
    const system = this.network.find(ip, this);
    if (system !== this && !this.ips.some(({ version }) => version === ip.version)) {
      throw systemError("ENETUNREACH", syscall, address);
    }
    return { ip, system };
  }

  /** Returns the source address of what a binding sends to a target. */
  sourceFor(bound: Interface, target: IpAddress, remote: System | undefined, syscall: string): IpAddress {
    if (!isWildcard(bound.ip)) {
      const fits = bound.ip.version === target.version && (remote === this || !isLoopback(bound.ip));
      if (fits) return bound.ip;
    } else if (covers(bound, target)) {
      if (remote === this) return isLoopback4(target) ? IpAddress.loopback4 : target;
      const own = this.ips.find(({ version }) => version === target.version);
      if (own !== undefined) return own;
    }
    throw systemError("ENETUNREACH", syscall);
  }

  /** Returns an address to bind, which must be one of the host's own. */
  ownIp(asked: IpAddress, address: Address): IpAddress {
    const ip = bare(asked);
    if (isWildcard(ip) || isLoopback(ip) || this.ips.some((own) => own.equals(ip))) return ip;
    throw systemError("EADDRNOTAVAIL", "bind", address);
  }

  listen(address: TcpAddress, options: { ipv6Only: boolean; reusePort: boolean; backlog: number }): TcpListener {
    const { ipv6Only, reusePort: shares, backlog } = options;
    const ip = this.ownIp(address.ip, address);
    const bound = this.#tcp.bind({ ip, port: address.port, ipv6Only, shares }, (port) => tcp(address.ip, port));
    const listener = new TcpListener(this, tcp(address.ip, bound.port), backlog, () => {
      bound.release();
      this.#listeners.delete(listener);
    });
    this.#listeners.add(listener);
    bound.owner = listener;
    this.record("listen", listener.addressText);
    return listener;
  }

  /** Begins to connect. `done` is called once, unless the socket is aborted before. */
  connect(
    { ip, system: remote }: { ip: IpAddress; system: System },
    address: TcpAddress,
    bindTo: TcpAddress | undefined,
    done: (error: Error | undefined) => void,
  ): TcpSocket {
    const any = ip.version === 4 ? IpAddress.any4 : IpAddress.any6;
    const from = bindTo === undefined ? any : this.ownIp(bindTo.ip, bindTo);
    const source = this.sourceFor({ ip: from }, ip, remote, "connect");
    const bound = this.#tcp.bind({ ip: source, port: bindTo?.port ?? 0 }, (port) => tcp(source, port));
    const owner: TcpOwner = {
      established: () => this.tell(() => done(undefined)),
      gone: (_, error) => {
        bound.release();
        if (error !== undefined) this.tell(() => done(error));
      },
    };
    const terms = { remote, local: tcp(source, bound.port), peer: tcp(ip, address.port), owner };
    const connection = new TcpConnection(this, terms);
    this.#connections.add(connection);
    return new TcpSocket(connection);
  }

  /** Remembers the end of a server. */
  remember(end: TcpEnd): void {
    this.#connections.add(end as TcpConnection);
    this.#incoming.set(end.other as TcpEnd, end);
  }

  /** Forgets a closed socket. */
  forget(end: TcpEnd): void {
    this.#connections.delete(end as TcpConnection);
    if (end.other !== undefined) this.#incoming.delete(end.other);
  }

  receiveDatagram(ip: IpAddress, port: number, data: Uint8Array<ArrayBuffer>, from: UdpAddress): boolean {
    return this.#datagrams.receive(ip, port, data, from);
  }

  send(remote: System, packet: Packet): void {
    if (this.isUp) this.network.send(this, remote, packet);
  }

  /** Takes a segment for a socket of this host. */
  receive(segment: Segment, to: TcpAddress): void {
    const known = segment.to ?? this.#incoming.get(segment.from as TcpEnd);
    if (known !== undefined) return known.receive(segment);
    const listener = segment.kind === "SYN" ? this.#tcp.find(to.ip, to.port) : undefined;
    if (listener === undefined) this.refuse(segment);
    else listener.begin(segment, to);
  }

  /** Answers a segment for a connection that does not exist with a reset. */
  refuse(segment: Segment): void {
    const { from } = segment;
    if (segment.kind === "RST" || from === undefined) return;
    const reset: Segment = {
      kind: "RST",
      source: segment.target,
      target: segment.source,
      bytes: 0,
      headers: segment.headers,
      from: undefined,
      to: from,
      piece: undefined,
      ack: 0,
      early: [],
      window: 0,
      arrive: () => from.receive(reset),
    };
    this.send(from.system, reset);
  }

  /** Sends and receives nothing from now on. */
  cut(): void {
    this.isUp = false;
  }

  /** Loses everything. */
  crash(): void {
    this.#resume();
    const error = systemError("ECONNABORTED", "read");
    for (const listener of [...this.#listeners]) listener.fail();
    for (const connection of [...this.#connections]) connection.fail(error);
    this.#datagrams.fail();
    this.#unix.crash();
    this.#tcp = new Ports();
    this.#unix = new UnixSockets(this.#turn);
    this.#incoming.clear();
    this.network.dns.forget(this);
  }

  /** Starts again. */
  boot(): void {
    this.isUp = true;
  }

  sockets(): SimSocket[] {
    const of = (local: string, peer: string | undefined, state: SimSocket["state"], unread: number, unsent = 0) =>
      Object.freeze({ host: this.name, local, peer, state, unread, unsent });
    return [
      ...[...this.#listeners].map(({ addressText, waiting }) => of(addressText, undefined, "LISTEN", waiting)),
      ...[...this.#connections].map(({ localText, peerText, state, unread, unsent }) =>
        of(localText, peerText, state, unread, unsent)
      ),
      ...[...this.#datagrams.sockets].map(({ local, remote, queued }) =>
        of(describeAddress(local), remote && describeAddress(remote), "BOUND", queued)
      ),
    ];
  }
}

function isLoopback(ip: IpAddress): boolean {
  return isLoopback4(ip) || ip.equals(IpAddress.loopback6);
}
