// Copyright 2026 the Sluice authors. MIT license.

import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { setImmediate } from "node:timers";
import { attempt, guard, open } from "../../../base/internal.ts";
import { joined } from "../../../flow/internal.ts";
import { privateCopy } from "../../../flow/node/internal.ts";
import {
  type Datagram,
  IpAddress,
  netErrorFrom,
  sameAddress,
  type SocketOptionName,
  type SocketOptionValue,
  udp,
  type UdpAddress,
} from "../../internal.ts";
import type { Attempt } from "../../internal.ts";
import type { ProviderDatagram, ProviderDatagramEvents, ProviderDatagramOptions } from "../../provider/internal.ts";
import { hostText, systemIp } from "../shared/internal.ts";
import { DatagramQueue } from "./_datagram_queue.ts";
import type { Permit } from "../shared/internal.ts";
import { getDatagramOption, setDatagramOption } from "./_option.ts";

/** How many datagrams the system is given in one turn of the event loop, for a sender must not starve the others. */
const sendsPerTurn = 64;

/** How often a datagram is sent again whose sending failed for another one. */
const mostRepeats = 8;

/** What the answers of routers and hosts to earlier datagrams are called. */
const answers: readonly unknown[] = [
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENOPROTOOPT",
  "EMSGSIZE",
];

/** Begins to bind a socket of `node:dgram`, and to connect it. */
export function datagramNode(
  address: UdpAddress,
  options: ProviderDatagramOptions,
  permit: Permit,
  sendsAtOnce: number,
): Attempt<ProviderDatagram> {
  const { reuseAddr, reusePort, ipv6Only } = options;
  const remote = options.remote as UdpAddress | undefined;
  permit("bind to", address);
  if (remote !== undefined) permit("send to", remote);
  const type = address.ip.version === 4 ? "udp4" : "udp6";
  const family = address.ip.version;
  const socket = createSocket({
    type,
    reuseAddr,
    reusePort,
    ipv6Only,
    // Only literals come here. They need no resolver, which would take a turn.
    lookup: (literal, _, found) => found(null, literal, family),
  });
  open.sockets++;
  let closed = false;
  socket.on("close", () => {
    closed = true;
    open.sockets--;
  });
  socket.on("error", () => {}); // there is never an 'error' event without a listener
  const result = (async () => {
    try {
      await opening(socket, "listening", () => {
        socket.bind({ address: hostText(address.ip), port: address.port, exclusive: true });
      });
      if (remote !== undefined) await connecting(socket, remote, family);
      return new NodeDatagram(socket, remote, permit, sendsAtOnce);
    } catch (error) {
      if (!closed) socket.close();
      throw error;
    }
  })();
  return {
    result,
    // What comes of it is discarded, or fails and is closed.
    cancel: () => {},
  };
}

async function connecting(socket: Socket, remote: UdpAddress, family: 4 | 6): Promise<void> {
  try {
    await opening(socket, "connect", () => socket.connect(remote.port, hostFor(remote, family)));
  } catch (error) {
    throw netErrorFrom(error, { operation: "connect", address: remote });
  }
}

/** Begins something, and waits for its event or an error. */
function opening(socket: Socket, event: "listening" | "connect", begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void) => {
      socket.off("error", failed);
      socket.off(event, succeeded);
      outcome();
    };
    const failed = guard((error: Error) => settle(() => reject(error)), reject);
    const succeeded = guard(() => settle(resolve), reject);
    socket.on("error", failed);
    socket.on(event, succeeded);
    begin();
  });
}

/** A socket of `node:dgram`. It reads without being asked, so what nobody has received is kept here, within bounds. */
class NodeDatagram implements ProviderDatagram {
  readonly local: UdpAddress;
  readonly #socket: Socket;
  readonly #remote: UdpAddress | undefined;
  readonly #permit: Permit;
  readonly #sendsAtOnce: number;
  readonly #arrived: DatagramQueue = new DatagramQueue();
  #events: ProviderDatagramEvents | undefined;
  #error: unknown;
  #leaving = 0;
  #sentThisTurn = 0;
  #closed = false;
  /** Who sent last: most often the same as before. */
  #sender: UdpAddress;
  #senderText = "";
  /** The address that the other side of a connected socket was last heard from. */
  #peer: UdpAddress | undefined;
  #gone = false;
  #broken: { readonly error: unknown } | undefined;
  readonly #onBroken = (error: unknown): void => this.#break(error);

  constructor(socket: Socket, remote: UdpAddress | undefined, permit: Permit, sendsAtOnce: number) {
    const { address, port } = socket.address();
    this.local = this.#sender = udp(systemIp(address), port);
    this.#socket = socket;
    this.#remote = remote;
    this.#permit = permit;
    this.#sendsAtOnce = sendsAtOnce;
    socket.on("message", guard((bytes: Uint8Array, info: RemoteInfo) => this.#keep(bytes, info), this.#onBroken));
    socket.on("error", guard((error: Error) => this.#fail(error), this.#onBroken));
    socket.on("close", guard(() => this.#ended(), this.#onBroken));
  }

  get queued(): number {
    return this.#arrived.length;
  }

  get dropped(): number {
    return this.#arrived.dropped;
  }

  attach(events: ProviderDatagramEvents): void {
    this.#events = events;
  }

  take(): Datagram | undefined {
    for (let arrived = this.#arrived.take(); arrived !== undefined; arrived = this.#arrived.take()) {
      const from = this.#senderOf(arrived.address, arrived.port);
      if (this.#isForUs(from)) return { data: arrived.data, from };
    }
    this.#throwError();
    return undefined;
  }

  send(data: readonly Uint8Array[], to: UdpAddress | undefined, done: (error?: unknown) => void): boolean {
    this.#throwError();
    if (this.#leaving >= this.#sendsAtOnce || this.#sentThisTurn >= sendsPerTurn) return false;
    this.#leaving++;
    if (++this.#sentThisTurn === sendsPerTurn) {
      const next = () => {
        this.#sentThisTurn = 0;
        this.#events?.sendable();
      };
      setImmediate(guard(next, this.#onBroken));
    }
    // A copy: what the system does not take at once would go on lying where the caller can free it.
    this.#give(data.length === 1 ? privateCopy(data[0]) : joined(data), to, 0, done);
    return true;
  }

  setOption(name: SocketOptionName, value: SocketOptionValue): void {
    setDatagramOption(this.#socket, name, value);
  }

  getOption(name: SocketOptionName): number | undefined {
    return getDatagramOption(this.#socket, name);
  }

  close(): void {
    this.#closed = true;
    this.#arrived.clear();
    if (!this.#gone && this.#broken === undefined) this.#socket.close();
  }

  #ended(): void {
    this.#gone = true;
    this.#events?.closed();
  }

  /** Fails the socket for what was thrown in a callback, where no one else can be told. */
  #break(error: unknown): void {
    if (this.#broken !== undefined) return;
    this.#broken = { error };
    this.#arrived.clear();
    if (!this.#gone && !this.#closed) attempt(() => this.#socket.close(), () => {});
    attempt(() => this.#events?.receivable(), () => {});
    attempt(() => this.#events?.sendable(), () => {});
  }

  #give(
    data: Uint8Array,
    to: UdpAddress | undefined,
    repeats: number,
    done: (error?: unknown) => void,
  ): void {
    const sent = guard((error: NodeJS.ErrnoException | null) => {
      if (this.#closed) return;
      // Bun asks the system for ICMP errors on every socket, so that the port of one peer fails the next send, to whomever it goes.
      const another = to !== undefined && error?.code === "ECONNREFUSED";
      if (another && repeats < mostRepeats) return this.#give(data, to, repeats + 1, done);
      this.#leaving--;
      if (error === null || error === undefined) done();
      else done(this.#explained(error, to ?? this.#remote));
      if (this.#leaving === this.#sendsAtOnce - 1) this.#events?.sendable();
    }, this.#onBroken);
    try {
      if (to === undefined) this.#socket.send(data, sent);
      else this.#socket.send(data, to.port, hostFor(to, this.local.ip.version), sent);
    } catch (error) {
      queueMicrotask(() => sent(error as Error));
    }
  }

  /** Deno calls a missing permission `UNKNOWN`, as many other things. */
  #explained(error: NodeJS.ErrnoException, to: UdpAddress | undefined): unknown {
    try {
      if (error.code === "UNKNOWN" && to !== undefined) this.#permit("send to", to);
    } catch (refusal) {
      return refusal;
    }
    return error;
  }

  #keep(bytes: Uint8Array, { address, port }: RemoteInfo): void {
    if (this.#closed || this.#broken !== undefined) return;
    this.#arrived.add(bytes, address, port);
    this.#events?.receivable();
  }

  #fail(error: NodeJS.ErrnoException): void {
    // An unconnected socket talks to many, and what one of them answered is no failure of it. EMSGSIZE was told to the sender.
    if (error.code === "EMSGSIZE" || (this.#remote === undefined && answers.includes(error.code))) return;
    this.#error = error;
    this.#events?.receivable();
  }

  #throwError(): void {
    if (this.#broken !== undefined) throw this.#broken.error;
    if (this.#error === undefined) return;
    const error = this.#error;
    this.#error = undefined;
    throw error;
  }

  /** What others sent before the socket was connected is not. */
  #isForUs(from: UdpAddress): boolean {
    if (this.#remote === undefined || from === this.#peer) return true;
    if (!isFrom(from, this.#remote)) return false;
    this.#peer = from;
    return true;
  }

  #senderOf(text: string, port: number): UdpAddress {
    const sameIp = text === this.#senderText;
    if (sameIp && port === this.#sender.port) return this.#sender;
    this.#sender = udp(sameIp ? this.#sender.ip : systemIp(text).unmapped(), port);
    this.#senderText = text;
    return this.#sender;
  }
}

/**
 * Whether a datagram is from the host that a socket is connected to. Zones count where both are names: Deno tells none of a sender, and Bun tells the name of one
 * that was given as a number.
 */
function isFrom(from: UdpAddress, remote: UdpAddress): boolean {
  const bothNamed = [from, remote].every(({ ip }) => ip.zone !== undefined && /\D/.test(ip.zone));
  if (bothNamed) return sameAddress(from, remote);
  return from.port === remote.port && IpAddress.fromBytes(from.ip.bytes).equals(IpAddress.fromBytes(remote.ip.bytes));
}

/** An address as a socket of that IP version wants it. */
function hostFor({ ip }: UdpAddress, family: 4 | 6): string {
  return family === 6 && ip.version === 4 ? `::ffff:${ip}` : hostText(ip.unmapped());
}
