// Copyright 2026 the Sluice authors. MIT license.

import type { Buffer } from "node:buffer";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { setImmediate } from "node:timers";
import { attempt, guard } from "../../../base/internal.ts";
import { joined, registerOwners } from "../../../flow/internal.ts";
import { copyOf, recycle } from "../../../flow/node/internal.ts";
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
import { hostText, type PermissionCheck, systemIp } from "../shared/internal.ts";
import { DatagramQueue } from "./_datagram_queue.ts";
import { getDatagramOption, setDatagramOption } from "./_option.ts";

/**
 * How many datagrams one socket sends per turn of the event loop, so that others are not starved.
 */
const sendsPerTurn = 64;

/** How many times a send is retried after it failed with the error of an earlier datagram. */
const maxRetries = 8;

/** Error codes that report ICMP errors about earlier datagrams. */
const icmpErrors: readonly unknown[] = [
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENOPROTOOPT",
  "EMSGSIZE",
];

/** Begins to bind a `node:dgram` socket, and to connect it if there is a remote address. */
export function datagramNode(
  address: UdpAddress,
  options: ProviderDatagramOptions,
  permit: PermissionCheck,
  maxInFlight: number,
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
    // The host is always an IP address, so the resolver and its turn of the event loop are skipped.
    lookup: (literal, _, found) => found(null, literal, family),
  });
  let closed = false;
  socket.on("close", () => {
    closed = true;
  });
  socket.on("error", () => {}); // an 'error' event without a listener would end the process
  const result = (async () => {
    try {
      await eventAfter(socket, "listening", () => {
        socket.bind({ address: hostText(address.ip), port: address.port, exclusive: true });
      });
      if (remote !== undefined) await connectTo(socket, remote, family);
      return new NodeDatagram(socket, remote, permit, maxInFlight);
    } catch (error) {
      if (!closed) socket.close();
      throw error;
    }
  })();
  return {
    result,
    // Nothing to stop: the caller closes a late result, and a failed attempt closes its socket.
    cancel: () => {},
  };
}

async function connectTo(socket: Socket, remote: UdpAddress, family: 4 | 6): Promise<void> {
  try {
    await eventAfter(socket, "connect", () => socket.connect(remote.port, hostFor(remote, family)));
  } catch (error) {
    throw netErrorFrom(error, { operation: "connect", address: remote });
  }
}

/** Calls `begin` and waits for `event`; rejects on an error event. */
function eventAfter(socket: Socket, event: "listening" | "connect", begin: () => void): Promise<void> {
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

/**
 * A `node:dgram` socket. The runtime reads on its own, so datagrams not yet received are kept here,
 * in a bounded queue.
 */
class NodeDatagram implements ProviderDatagram {
  static {
    registerOwners((end) => #socket in end);
  }

  readonly local: UdpAddress;
  readonly #socket: Socket;
  readonly #remote: UdpAddress | undefined;
  readonly #permit: PermissionCheck;
  readonly #maxInFlight: number;
  readonly #arrived: DatagramQueue = new DatagramQueue();
  #events: ProviderDatagramEvents | undefined;
  #error: unknown;
  #inFlight = 0;
  #sentThisTurn = 0;
  /** Whether `close` was called. */
  #closed = false;
  readonly #senders: Senders = new Senders();
  /** The peer's address as last reported on a connected socket, cached. */
  #peer: UdpAddress | undefined;
  #socketClosed = false;
  #broken: { readonly error: unknown } | undefined;
  readonly #onBroken = (error: unknown): void => this.#break(error);

  constructor(socket: Socket, remote: UdpAddress | undefined, permit: PermissionCheck, maxInFlight: number) {
    const { address, port } = socket.address();
    this.local = udp(systemIp(address), port);
    this.#socket = socket;
    this.#remote = remote;
    this.#permit = permit;
    this.#maxInFlight = maxInFlight;
    socket.on("message", guard((bytes: Uint8Array, info: RemoteInfo) => this.#enqueue(bytes, info), this.#onBroken));
    socket.on("error", guard((error: Error) => this.#fail(error), this.#onBroken));
    socket.on("close", guard(() => this.#onSocketClosed(), this.#onBroken));
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
      const from = this.#senders.at(arrived.address, arrived.port);
      if (this.#isAccepted(from)) return { data: arrived.data, from };
    }
    this.#throwError();
    return undefined;
  }

  send(data: readonly Uint8Array[], to: UdpAddress | undefined, done: (error?: unknown) => void): boolean {
    this.#throwError();
    if (this.#inFlight >= this.#maxInFlight || this.#sentThisTurn >= sendsPerTurn) return false;
    // A copy: the caller may reuse its buffer before the system has taken the bytes.
    const copy = copyOf(data.length === 1 ? data[0] : joined(data));
    this.#inFlight++;
    if (++this.#sentThisTurn === sendsPerTurn) {
      const next = () => {
        this.#sentThisTurn = 0;
        this.#events?.sendable();
      };
      setImmediate(guard(next, this.#onBroken));
    }
    this.#transmit(copy, to, 0, done);
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
    if (!this.#socketClosed && this.#broken === undefined) this.#socket.close();
  }

  #onSocketClosed(): void {
    this.#socketClosed = true;
    this.#events?.closed();
  }

  /** Fails the socket with an error thrown in a callback, where no caller can catch it. */
  #break(error: unknown): void {
    if (this.#broken !== undefined) return;
    this.#broken = { error };
    this.#arrived.clear();
    if (!this.#socketClosed && !this.#closed) attempt(() => this.#socket.close(), () => {});
    attempt(() => this.#events?.receivable(), () => {});
    attempt(() => this.#events?.sendable(), () => {});
  }

  #transmit(
    copy: Buffer<ArrayBuffer>,
    to: UdpAddress | undefined,
    retries: number,
    done: (error?: unknown) => void,
  ): void {
    const sent = guard((error: NodeJS.ErrnoException | null) => {
      // On Bun every socket gets ICMP errors: if one peer refuses, the next send to any peer fails.
      const isStale = to !== undefined && error?.code === "ECONNREFUSED";
      if (isStale && retries < maxRetries && !this.#closed) return this.#transmit(copy, to, retries + 1, done);
      recycle(copy);
      if (this.#closed) return;
      this.#inFlight--;
      if (error === null || error === undefined) done();
      else done(this.#explained(error, to ?? this.#remote));
      if (this.#inFlight === this.#maxInFlight - 1) this.#events?.sendable();
    }, this.#onBroken);
    try {
      if (to === undefined) this.#socket.send(copy, sent);
      else this.#socket.send(copy, to.port, hostFor(to, this.local.ip.version), sent);
    } catch (error) {
      queueMicrotask(() => sent(error as Error));
    }
  }

  /** Returns the permission error behind Deno's `UNKNOWN`, a code that has other causes too. */
  #explained(error: NodeJS.ErrnoException, to: UdpAddress | undefined): unknown {
    try {
      if (error.code === "UNKNOWN" && to !== undefined) this.#permit("send to", to);
    } catch (refusal) {
      return refusal;
    }
    return error;
  }

  #enqueue(bytes: Uint8Array, { address, port }: RemoteInfo): void {
    if (this.#closed || this.#broken !== undefined) return;
    this.#arrived.add(bytes, address, port);
    this.#events?.receivable();
  }

  /** Keeps an error of the socket, for the next operation to throw. */
  #fail(error: NodeJS.ErrnoException): void {
    // ICMP errors of a peer do not fail an unconnected socket; EMSGSIZE was reported to the sender.
    if (error.code === "EMSGSIZE" || (this.#remote === undefined && icmpErrors.includes(error.code))) return;
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

  /**
   * Reports whether a datagram is from the peer of a connected socket: others may have arrived
   * before it was connected.
   */
  #isAccepted(from: UdpAddress): boolean {
    if (this.#remote === undefined || from === this.#peer) return true;
    if (!isFrom(from, this.#remote)) return false;
    this.#peer = from;
    return true;
  }
}

/** The most senders that {@linkcode Senders} keeps. */
const maxSenders = 256;

/** The addresses of the last senders, as the same ones often send again. */
class Senders {
  readonly #byPort: Map<number, { readonly text: string; readonly address: UdpAddress }> = new Map();

  /** Returns the address of a sender at `port` of the host that the system reports as `text`. */
  at(text: string, port: number): UdpAddress {
    const known = this.#byPort.get(port);
    if (known?.text === text) return known.address;
    const address = udp(systemIp(text).unmapped(), port);
    if (this.#byPort.size === maxSenders) this.#byPort.clear();
    this.#byPort.set(port, { text, address });
    return address;
  }
}

/**
 * Reports whether a datagram is from the host that a socket is connected to. Zones are compared
 * only if both are interface names: Deno reports no zone of a sender, and Bun reports the name of a
 * zone given by its index.
 */
function isFrom(from: UdpAddress, remote: UdpAddress): boolean {
  const bothNamed = [from, remote].every(({ ip }) => ip.zone !== undefined && /\D/.test(ip.zone));
  if (bothNamed) return sameAddress(from, remote);
  return from.port === remote.port && IpAddress.fromBytes(from.ip.bytes).equals(IpAddress.fromBytes(remote.ip.bytes));
}

/** Returns an address in the form that a socket of that IP version takes. */
function hostFor({ ip }: UdpAddress, family: 4 | 6): string {
  return family === 6 && ip.version === 4 ? `::ffff:${ip}` : hostText(ip.unmapped());
}
