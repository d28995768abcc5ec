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

/** Checked options of {@linkcode NetProvider.connect}. */
export interface ProviderConnectOptions {
  /** The local address to connect from. */
  readonly bindTo: StreamAddress | undefined;
  /** The options that are set on the connection at once. */
  readonly optionNames?: readonly SocketOptionName[] | undefined;
}

/** Checked options of {@linkcode NetProvider.listen}. */
export interface ProviderListenOptions {
  /** The most connections that may wait to be accepted. */
  readonly backlog: number;
  /** Whether to remove the file of a dead Unix socket first. */
  readonly reuseAddr: boolean;
  /** Whether to share the port. */
  readonly reusePort: boolean;
  /** The permissions of a Unix path. */
  readonly mode: number | undefined;
  /**
   * Whether a listener on `::` refuses IPv4 connections. Set only if
   * {@linkcode NetProvider.socketOptions} includes `IPV6_V6ONLY`.
   */
  readonly ipv6Only: boolean;
  /** The options that each connection inherits. */
  readonly optionNames?: readonly SocketOptionName[] | undefined;
}

/** Checked options of {@linkcode NetProvider.datagram}. */
export interface ProviderDatagramOptions {
  /** Whether to bind to an address that other sockets use with this option. */
  readonly reuseAddr: boolean;
  /** Whether to share the port. */
  readonly reusePort: boolean;
  /**
   * Whether a socket on `::` ignores IPv4 datagrams. Set only if
   * {@linkcode NetProvider.socketOptions} includes `IPV6_V6ONLY`.
   */
  readonly ipv6Only: boolean;
  /** The address to connect to. */
  readonly remote: DatagramAddress | undefined;
}

/** Kinds of sockets by their options. No backend can set options of Unix sockets. */
export type SocketKind = "tcp" | "tcpListener" | "udp";

/** The options of a socket in a backend. */
export interface ProviderOptions {
  /**
   * Sets an option of {@linkcode NetProvider.socketOptions}. Both arguments are checked, and
   * addresses are `IpAddress`es.
   *
   * @throws The runtime's own error.
   */
  setOption?(name: SocketOptionName, value: SocketOptionValue): void;
  /** Returns the value that the system reports, or `undefined` if the runtime cannot read it. */
  getOption?(name: SocketOptionName): SocketOptionValue | undefined;
}

/** Receiver of the events of a {@linkcode ProviderStream}. */
export interface ProviderStreamEvents extends StreamEvents {
  /** Called when the system has closed the socket. No event follows. */
  closed(): void;
}

/**
 * A connection in a backend: a non-blocking {@linkcode StreamEnd} with two addresses.
 *
 * A backend that reads into memory that it reuses, such as a ring buffer, sets `keeps` to `false`.
 * It may overwrite only consumed bytes: the others stay as they are even after `drop`, `close` and
 * `abort`, since a borrower may still be using them.
 *
 * It counts nothing: `openCounts()` counts what `createNet` receives, until `closed` is called.
 */
export interface ProviderStream extends StreamEnd, ProviderOptions {
  /** The local address. */
  readonly local: StreamAddress;
  /** The peer's address, as plain IPv4 if it is IPv4-mapped. */
  readonly peer: StreamAddress;
  /** Sets the receiver of events. Called once. Until then the backend reads nothing ahead. */
  attach(events: ProviderStreamEvents): void;
  /** Closes the socket without waiting. {@linkcode ProviderStreamEvents.closed} follows. */
  close(): void;
  /** Closes the socket with a reset, where the transport has one. Unsent bytes are lost. */
  abort(): void;
  /**
   * Gives up a socket whose `linger` has passed with unsent bytes. A backend that cannot reset has
   * this method, because an end after the loss of bytes would make a cut message look complete: it
   * goes on sending for a limited time. {@linkcode ProviderStreamEvents.closed} follows at once.
   * Without this method, the socket is aborted.
   */
  abandon?(): void;
}

/** Receiver of the events of a {@linkcode ProviderDatagram}. */
export interface ProviderDatagramEvents {
  /** Called when {@linkcode ProviderDatagram.take} can return or throw something new. */
  receivable(): void;
  /** Called when {@linkcode ProviderDatagram.send} may accept a datagram again. */
  sendable(): void;
  /** Called when the system has closed the socket. No event follows. */
  closed(): void;
}

/** A datagram socket in a backend. */
export interface ProviderDatagram extends ProviderOptions {
  /** The local address, with the real port. */
  readonly local: DatagramAddress;
  /** The number of datagrams that {@linkcode ProviderDatagram.take} can return. */
  readonly queued: number;
  /** The number of datagrams dropped because the queue was full. */
  readonly dropped: number;
  /** Sets the receiver of events. Called once. */
  attach(events: ProviderDatagramEvents): void;
  /**
   * Takes the oldest datagram. If there is none, returns `undefined`, and
   * {@linkcode ProviderDatagramEvents.receivable} follows. Its bytes belong to the caller, and pin
   * no more memory than they need. A connected socket returns only datagrams of its peer.
   *
   * @throws An error that the system has reported about the socket, once. The next call may
   * succeed.
   */
  take(): Datagram | undefined;
  /**
   * Begins to send a datagram. If too many are pending, takes nothing and returns `false`, and
   * {@linkcode ProviderDatagramEvents.sendable} follows.
   *
   * @param data The parts of one datagram. They do not change before `done`.
   * @param to The destination, `undefined` on a connected socket. It has the socket's IP version,
   * or is IPv4 on an IPv6 socket.
   * @param done Called once, later, without an error if the system has taken the datagram. Not
   * called after {@linkcode ProviderDatagram.close}.
   * @returns Whether the datagram was taken.
   */
  send(data: readonly Uint8Array[], to: UdpAddress | undefined, done: (error?: unknown) => void): boolean;
  /** Closes the socket. {@linkcode ProviderDatagramEvents.closed} follows. */
  close(): void;
}

/** Receiver of the events of a {@linkcode ProviderListener}. */
export interface ProviderListenerEvents {
  /** Called when {@linkcode ProviderListener.accept} can return or throw something new. */
  acceptable(): void;
  /**
   * Called when a connection was reset because the backlog was full.
   * {@linkcode ProviderListener.dropped} counts it.
   */
  overflowing(): void;
}

/** A listening socket in a backend. */
export interface ProviderListener {
  /**
   * Called before {@linkcode ProviderOptions.setOption} of each later connection sets an option
   * that it inherits. Without this method, connections inherit any.
   *
   * @throws The runtime's own error if they cannot inherit it.
   */
  setOption?(name: SocketOptionName, value: SocketOptionValue): void;
  /** The local address, with the real port. */
  readonly address: StreamAddress;
  /** The number of connections reset because the backlog was full. */
  readonly dropped: number;
  /** Sets the receiver of events. Called once. */
  attach(events: ProviderListenerEvents): void;
  /**
   * Takes a connection. If there is none, returns `undefined`, and
   * {@linkcode ProviderListenerEvents.acceptable} follows.
   *
   * A pull-based backend begins to accept here, and holds at most one accepted connection.
   *
   * @throws The runtime's own error of accepting. The next call may succeed.
   */
  accept(): ProviderStream | undefined;
  /**
   * Stops listening once the runtime has accepted the connections that the system has established
   * so far, as far as it can tell. They can still be taken; {@linkcode ProviderListener.close}
   * follows. A pull-based backend does not need it.
   */
  stopListening?(): Promise<void>;
  /**
   * Closes the socket, resets connections not yet taken, and removes the Unix path. Settles when
   * done.
   */
  close(): Promise<void>;
}

/**
 * A network backend, of which `createNet` makes a `Net`. It handles no switches, cancellation
 * scopes, policy or races between addresses, and its arguments are checked.
 *
 * Blocking operations signal by an event when to try again. Only those that happen once, opening
 * and looking up, are promises.
 */
export interface NetProvider {
  /** The features of this network. */
  readonly features: ReadonlySet<NetFeature>;
  /**
   * The clock of its timeouts.
   *
   * @default {the system's clock}
   */
  readonly clock?: Clock | undefined;
  /**
   * The options that can be set on its sockets; of a listener, those that its connections inherit
   * and `IPV6_V6ONLY`. By default none.
   */
  readonly socketOptions?: Readonly<Partial<Record<SocketKind, ReadonlySet<SocketOptionName>>>> | undefined;
  /** Begins to connect. */
  connect(address: StreamAddress, options: ProviderConnectOptions): Attempt<ProviderStream>;
  /**
   * Begins to listen. A failed attempt leaves nothing behind, and removes no path of another
   * socket.
   */
  listen(address: StreamAddress, options: ProviderListenOptions): Attempt<ProviderListener>;
  /**
   * Begins to bind a datagram socket, and to connect it. Receives Unix paths only with the feature
   * `unixDatagrams`. Without this method there are no datagram sockets.
   */
  datagram?(address: DatagramAddress, options: ProviderDatagramOptions): Attempt<ProviderDatagram>;
  /**
   * Looks up the addresses of a host name, which is not an IP address, in the resolver's order.
   * Fails only if no address was found.
   *
   * @param found Called with answers that arrive early, if the resolver asks for each family
   * separately.
   */
  lookup(name: string, found: (ips: readonly IpAddress[]) => void): Attempt<readonly IpAddress[]>;
  /** Looks up the names of an address. */
  lookupName(ip: IpAddress): Attempt<readonly string[]>;
  /** Looks up the SRV records of a name. The root as a target is `""`. */
  lookupServices(name: string): Attempt<readonly ServiceRecord[]>;
  /**
   * Returns the current addresses of this host's interfaces, which `publicOnly` treats as private;
   * `undefined` if the runtime does not report them. Without this method the host has none.
   */
  ownAddresses?(): readonly IpAddress[] | undefined;
}
