// Copyright 2026 the Sluice authors. MIT license.

import { describeAddress } from "../../../internal.ts";
import { type IpAddress, udp, type UdpAddress } from "../../../mod.ts";
import { type Bound, MemoryDatagram, Ports, Turn } from "../../memory/internal.ts";
import type { System } from "./_system.ts";

/** What a datagram socket is bound to. */
export interface DatagramRequest {
  readonly ip: IpAddress;
  readonly port: number;
  readonly ipv6Only: boolean;
  readonly shares: boolean;
}

/** The UDP sockets of a host. */
export class Datagrams {
  readonly #system: System;
  readonly #turn: Turn = new Turn();
  readonly #ports: Ports<MemoryDatagram> = new Ports();
  readonly #open: Set<MemoryDatagram> = new Set();

  constructor(system: System) {
    this.#system = system;
  }

  /** The open sockets, oldest first. */
  get sockets(): Iterable<MemoryDatagram> {
    return this.#open;
  }

  /**
   * Binds a socket.
   *
   * @param peer The peer of a connected one, and the address from which it sends.
   */
  bind(
    request: DatagramRequest,
    asked: UdpAddress,
    peer: { readonly address: UdpAddress; readonly source: IpAddress } | undefined,
  ): MemoryDatagram {
    const bound = this.#ports.bind(request, (port) => udp(asked.ip, port));
    const socket: MemoryDatagram = new MemoryDatagram(udp(peer?.source ?? request.ip, bound.port), peer?.address, {
      deliver: (data, to) => this.#send(bound, socket, data, to),
      turn: this.#turn,
      release: () => {
        bound.release();
        this.#open.delete(socket);
        this.#system.unclaim();
      },
    });
    this.#open.add(socket);
    return bound.owner = socket;
  }

  /** Closes every socket. */
  fail(): void {
    for (const socket of [...this.#open]) socket.close();
  }

  #send(bound: Bound<MemoryDatagram>, socket: MemoryDatagram, data: Uint8Array<ArrayBuffer>, to: UdpAddress): boolean {
    const { ip, system: remote } = this.#system.targetOf(to, "send");
    const from = udp(this.#system.sourceFor(bound, ip, remote, "send"), bound.port);
    const texts = { source: describeAddress(from), target: describeAddress(to) };
    if (remote === undefined) {
      this.#system.record("drop UDP", texts.source, texts.target, data.length);
      return true;
    }
    const unreachable = {
      kind: "ICMP",
      source: texts.target,
      target: texts.source,
      bytes: 0,
      headers: 56,
      arrive: () => this.#system.tell(() => this.#open.has(socket) && socket.refuse(to)),
    };
    this.#system.send(remote, {
      kind: "UDP",
      ...texts,
      bytes: data.length,
      headers: ip.version === 4 ? 28 : 48,
      arrive: () => {
        if (!remote.receiveDatagram(ip, to.port, data, from)) remote.send(this.#system, unreachable);
      },
    });
    return true;
  }

  /** Delivers a datagram. Reports whether a socket is bound there. */
  receive(ip: IpAddress, port: number, data: Uint8Array<ArrayBuffer>, from: UdpAddress): boolean {
    const rank = (other: MemoryDatagram) => other.remote === undefined ? 1 : other.accepts(from) ? 2 : 0;
    const receiver = this.#ports.find(ip, port, rank);
    // A copy: a datagram can arrive twice, and each belongs to its receiver.
    this.#system.tell(() => receiver?.receive({ data: data.slice(), from }));
    return receiver !== undefined;
  }
}
