// Copyright 2026 the Sluice authors. MIT license.

import type { Attempt } from "../internal.ts";
import type { StreamEnd, StreamEvents } from "../../flow/internal.ts";
import type { Clock } from "../../switch/internal.ts";
import type {
  Datagram,
  DatagramAddress,
  IpAddress,
  NetFeature,
  ServiceRecord,
  SocketOptionName,
  SocketOptionValue,
  StreamAddress,
  UdpAddress,
} from "../internal.ts";

/** What {@linkcode NetProvider.connect} is told: all set, all checked. */
export interface ProviderConnectOptions {
  /** The local address to connect from. */
  readonly bindTo: StreamAddress | undefined;
}

/** What {@linkcode NetProvider.listen} is told: all set, all checked. */
export interface ProviderListenOptions {
  /** How many connections may wait to be accepted. */
  readonly backlog: number;
  /** Whether to remove a dead Unix socket's file first. */
  readonly reuseAddr: boolean;
  /** Whether to share the port. */
  readonly reusePort: boolean;
  /** The permissions of a Unix path. */
  readonly mode: number | undefined;
  /** Whether a listener on `::` takes no IPv4 connections; only where {@linkcode NetProvider.socketOptions} has `IPV6_V6ONLY`. */
  readonly ipv6Only: boolean;
}

/** What {@linkcode NetProvider.datagram} is told: all set, all checked. */
export interface ProviderDatagramOptions {
  /** Whether to bind although the address is in use by others who agree. */
  readonly reuseAddr: boolean;
  /** Whether to share the port. */
  readonly reusePort: boolean;
  /** Whether a socket on `::` takes no IPv4 datagrams; only where {@linkcode NetProvider.socketOptions} has `IPV6_V6ONLY`. */
  readonly ipv6Only: boolean;
  /** Where to connect to. */
  readonly remote: DatagramAddress | undefined;
}

/** Kinds of sockets, as far as their options go. A backend reaches none of a Unix socket. */
export type SocketKind = "tcp" | "tcpListener" | "udp";

/** The options of a socket, as a backend has them. */
export interface ProviderOptions {
  /**
   * Sets an option that is in {@linkcode NetProvider.socketOptions}. Both were checked; addresses are `IpAddress`es.
   *
   * @throws The runtime's own error.
   */
  setOption?(name: SocketOptionName, value: SocketOptionValue): void;
  /** What the system says that an option holds; `undefined` where the runtime does not tell. */
  getOption?(name: SocketOptionName): SocketOptionValue | undefined;
}

/** What a {@linkcode ProviderStream} tells its one user. */
export interface ProviderStreamEvents extends StreamEvents {
  /** The system has closed the socket; nothing follows. */
  closed(): void;
}

/**
 * A connection, as a backend has it: a non-blocking {@linkcode StreamEnd} with two addresses.
 *
 * A backend that reads into memory of its own and reuses that, such as a ring buffer, says so by
 * `keeps: false`. Only what was consumed may be written to again: what was not stays as it is even
 * after `drop`, `close` and `abort`, since a borrower may still be using it.
 *
 * It counts nothing: `openCounts()` counts what `createNet` was handed until `closed` is called.
 */
export interface ProviderStream extends StreamEnd, ProviderOptions {
  /** Our own address. */
  readonly local: StreamAddress;
  /** The other side's address; an IPv4-mapped one as plain IPv4. */
  readonly peer: StreamAddress;
  /** Tells whom to call. Called once; nothing is read ahead before that, beyond what the system itself does. */
  attach(events: ProviderStreamEvents): void;
  /** Gives the socket back to the system, without waiting for anything. {@linkcode ProviderStreamEvents.closed} follows. */
  close(): void;
  /** The same by a reset, where the transport has one. */
  abort(): void;
}

/** What a {@linkcode ProviderDatagram} tells its one user. */
export interface ProviderDatagramEvents {
  /** {@linkcode ProviderDatagram.take} has something new to give or to throw. */
  receivable(): void;
  /** {@linkcode ProviderDatagram.send} may take a datagram again. */
  sendable(): void;
  /** The system has closed the socket; nothing follows. */
  closed(): void;
}

/** A datagram socket, as a backend has it. */
export interface ProviderDatagram extends ProviderOptions {
  /** Our own address, with the real port. */
  readonly local: DatagramAddress;
  /** How many datagrams {@linkcode ProviderDatagram.take} has to give. */
  readonly queued: number;
  /** How many were dropped because nobody took them in time. */
  readonly dropped: number;
  /** Tells whom to call. Called once. */
  attach(events: ProviderDatagramEvents): void;
  /**
   * Takes the datagram that came first, or gives `undefined` while there is none (then {@linkcode ProviderDatagramEvents.receivable} follows). Its bytes
   * belong to the caller, and pin no more memory than they need. A connected socket gives only what the other side sent.
   *
   * @throws What the system has reported about the socket, once. The next call may succeed.
   */
  take(): Datagram | undefined;
  /**
   * Gives a datagram to the system, unless too many are on their way to it: then nothing is taken, and {@linkcode ProviderDatagramEvents.sendable} follows.
   *
   * @param data The pieces of one datagram. They are not changed before `done`.
   * @param to Where to; `undefined` on a connected socket. Of the socket's IP version, or IPv4 on an IPv6 socket.
   * @param done Called once, later: without an error when the system has the datagram. Not called after {@linkcode ProviderDatagram.close}.
   * @returns Whether it was taken.
   */
  send(data: readonly Uint8Array[], to: UdpAddress | undefined, done: (error?: unknown) => void): boolean;
  /** Gives the socket back to the system. {@linkcode ProviderDatagramEvents.closed} follows. */
  close(): void;
}

/** What a {@linkcode ProviderListener} tells its one user. */
export interface ProviderListenerEvents {
  /** {@linkcode ProviderListener.accept} has something new to give or to throw. */
  acceptable(): void;
  /** A connection was reset because nobody took it in time, and {@linkcode ProviderListener.dropped} counts it. */
  overflowing(): void;
}

/** A listening socket, as a backend has it. */
export interface ProviderListener {
  /** Where it listens, with the real port. */
  readonly address: StreamAddress;
  /** How many connections it had to reset because nobody took them in time. */
  readonly dropped: number;
  /** Tells whom to call. Called once. */
  attach(events: ProviderListenerEvents): void;
  /**
   * Takes a connection, or gives `undefined` while there is none (then {@linkcode ProviderListenerEvents.acceptable} follows).
   *
   * A backend that pulls starts accepting here, and holds at most the one connection that it has got.
   *
   * @throws The runtime's own error of accepting. The next call may succeed.
   */
  accept(): ProviderStream | undefined;
  /**
   * Stops listening once the runtime has accepted what the system has established so far, as far as can be told. That can
   * still be taken; {@linkcode ProviderListener.close} follows. A backend that pulls has no need of it.
   */
  stopListening?(): Promise<void>;
  /** Closes the socket, resets what nobody has taken, and removes the Unix path. Settles when the system has done so. */
  close(): Promise<void>;
}

/**
 * What a backend supplies, and `createNet` makes a `Net` of. It knows no switch, no cancellation scope, no names to race and no policy, and its
 * arguments have been checked.
 *
 * Everything that waits tells by an event when to try again; only opening and looking up, which happen once, are promises.
 */
export interface NetProvider {
  /** What this network can do. */
  readonly features: ReadonlySet<NetFeature>;
  /**
   * What its timeouts run on.
   *
   * @default {the system's clock}
   */
  readonly clock?: Clock | undefined;
  /** The options that can be set on its sockets; of a listener, those that its connections inherit and `IPV6_V6ONLY`. Without it there are none. */
  readonly socketOptions?: Readonly<Partial<Record<SocketKind, ReadonlySet<SocketOptionName>>>> | undefined;
  /** Begins to connect. */
  connect(address: StreamAddress, options: ProviderConnectOptions): Attempt<ProviderStream>;
  /** Begins to listen. A failed attempt leaves nothing behind, and removes nobody's path. */
  listen(address: StreamAddress, options: ProviderListenOptions): Attempt<ProviderListener>;
  /** Begins to bind a datagram socket, and to connect it. Unix paths come only where there is the feature `unixDatagrams`. Without it there are no datagrams. */
  datagram?(address: DatagramAddress, options: ProviderDatagramOptions): Attempt<ProviderDatagram>;
  /**
   * Asks the resolver for the addresses of a name, in the resolver's order. The name is no literal, and can be a host name.
   *
   * @param found Called with the answers that come before the others, where the resolver asks for the families separately. The attempt fails only if nothing
   * was found.
   */
  lookup(name: string, found: (ips: readonly IpAddress[]) => void): Attempt<readonly IpAddress[]>;
  /** Asks the resolver for the names of an address. */
  lookupName(ip: IpAddress): Attempt<readonly string[]>;
  /** Asks for the SRV records of a name; the root as a target is `""`. */
  lookupServices(name: string): Attempt<readonly ServiceRecord[]>;
}
