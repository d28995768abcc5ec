// Copyright 2026 the Sluice authors. MIT license.

import type { Closable, TwoWay } from "../flow/types.ts";
import type { Clock } from "../switch/clock.ts";
import type { Switch } from "../switch/switch.ts";
import type { DatagramAddress, HostAddress, StreamAddress, TcpAddress, UdpAddress } from "./address.ts";

/**
 * What one network can do, and another perhaps cannot:
 *
 * - `pullAccept`: a connection stays with the system until somebody accepts it;
 * - `acceptErrors`: errors of accepting are shown, and not swallowed by the runtime;
 * - `reusePort`, `ipv6Only`, `abstractUnix`: the option, or the kind of address, works.
 */
export type NetFeature = "pullAccept" | "acceptErrors" | "reusePort" | "ipv6Only" | "abstractUnix";

/** Socket options under the system's names. None can be set yet: every one is `not_supported`. */
export type SocketOptions = Readonly<Record<string, boolean | number>>;

/** Options for {@linkcode Net.connect}. */
export interface ConnectOptions {
  /** The local address to connect from. Port 0 leaves the port to the system. */
  bindTo?: StreamAddress | undefined;
  /** Socket options, set before connecting, in order. */
  socketOptions?: SocketOptions | undefined;
  /**
   * How long the whole call may take, in milliseconds; then it fails with `connection_timeout`.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
  /**
   * How long `close` lets bytes that were taken go out, in milliseconds, before it resets the connection.
   *
   * @default {1000}
   */
  linger?: number | undefined;
}

/** Options for {@linkcode Net.listen}. */
export interface ListenOptions {
  /**
   * How many connections may wait to be accepted: a whole number of at least 1.
   *
   * @default {128}
   */
  backlog?: number | undefined;
  /**
   * For a Unix path: first removes a socket file on which nobody answers. Other files, and a live socket, are left alone, and listening fails.
   *
   * @default {false}
   */
  reuseAddr?: boolean | undefined;
  /**
   * Lets several listeners share one TCP port.
   *
   * @default {false}
   */
  reusePort?: boolean | undefined;
  /** Socket options, set before listening, in order. */
  socketOptions?: SocketOptions | undefined;
  /** The permissions of a Unix path, such as `0o600`. */
  mode?: number | undefined;
  /**
   * The `linger` of the accepted connections, as in {@linkcode ConnectOptions}.
   *
   * @default {1000}
   */
  linger?: number | undefined;
}

/** Options for {@linkcode Net.datagramSocket}. */
export interface DatagramOptions {
  /**
   * Binds although the address is in use by others who agree.
   *
   * @default {false}
   */
  reuseAddr?: boolean | undefined;
  /**
   * Lets several sockets share one port.
   *
   * @default {false}
   */
  reusePort?: boolean | undefined;
  /** Socket options, set before binding, in order. */
  socketOptions?: SocketOptions | undefined;
  /** Makes a connected socket, which sends to this address and receives from nobody else. */
  remote?: DatagramAddress | undefined;
}

/** Options for {@linkcode Net.getAddrInfo}. */
export interface AddrInfoOptions {
  /** A service's name or port number as text. Without it the port is 0. */
  service?: string | undefined;
  /** Which kind of addresses is wanted. Without it both kinds are given for each answer. */
  type?: "stream" | "datagram" | undefined;
}

/** One answer of {@linkcode Net.getServices}. */
export interface ServiceRecord {
  /** The host that offers the service. */
  readonly name: string;
  /** Its port. */
  readonly port: number;
  /** Lower ones are to be tried first. */
  readonly priority: number;
  /** How often it is chosen among those of one priority. */
  readonly weight: number;
}

/** What all sockets have. */
export interface Socket extends Closable {
  /**
   * Sets a socket option.
   *
   * @param name The system's name for it.
   * @param value Its value.
   * @throws {NetError} `not_supported`: no option can be set yet.
   */
  setOption(name: string, value: boolean | number): void;
  /**
   * Asks for a socket option.
   *
   * @param name The system's name for it.
   * @returns Its value.
   * @throws {NetError} `not_supported`: no option can be asked for yet.
   */
  getOption(name: string): boolean | number;
}

/**
 * A connection. It closes when its switch ends, unless closed first.
 *
 * `close` lets bytes that were taken go out for at most the time of `linger`, and then resets the connection; it resets at once if the owning switch has
 * failed or was cancelled. Unread input is dropped, which takes some 50 ms at the most.
 */
export interface StreamSocket extends TwoWay, Socket {
  /** Our own address. An unnamed Unix socket has the path "". */
  readonly local: StreamAddress;
  /** The other side's address. An IPv4 peer of a dual-stack listener shows as plain IPv4. */
  readonly peer: StreamAddress;
  /** Resets the connection now. What has not gone out is lost, and the other side sees an error. */
  abort(): void;
}

/**
 * A socket that accepts connections. It closes when its switch ends, unless closed first; a Unix path is removed then.
 *
 * @typeParam A The kind of address.
 */
export interface ListeningSocket<A extends StreamAddress = StreamAddress> extends Socket {
  /** Where it listens, with the real port where 0 was asked for. */
  readonly address: A;
  /** The clock of the network that it belongs to. Without it the real one is used. */
  readonly clock?: Clock | undefined;
  /**
   * How many connections were reset because the backlog was full, where the library has to keep them itself (no `pullAccept`).
   */
  readonly dropped?: number | undefined;
  /**
   * Waits until connections are being reset because the backlog is full: once for each burst, which lasts until a connection is accepted. A server that
   * is too busy to accept learns by it that it turns clients away, and that its listener was closed.
   *
   * @throws {ClosedError} When the listener is closed, now or meanwhile.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  overflow?(): Promise<void>;
  /**
   * Waits for a connection. Concurrent calls are served in order.
   *
   * @param sw The switch that owns the connection.
   * @returns The connection.
   * @throws {NetError} When the system cannot accept.
   * @throws {ClosedError} When the listener is closed, now or meanwhile.
   * @throws {TypeError} When `sw` is finished; no connection is taken then.
   * @throws {Cancelled} When the current scope, or `sw`, is cancelled; no connection is lost then.
   */
  accept(sw: Switch): Promise<StreamSocket>;
}

/**
 * A socket for single messages.
 *
 * @typeParam A The kind of address.
 */
export interface DatagramSocket<A extends DatagramAddress = DatagramAddress> extends Socket {
  /** Our own address. */
  readonly local: A;
  /**
   * Sends one datagram.
   *
   * @param data What to send; several pieces make one datagram.
   * @param to Where to; without it, to where the socket is connected.
   */
  send(data: Uint8Array | readonly Uint8Array[], to?: DatagramAddress): Promise<void>;
  /**
   * Waits for one datagram.
   *
   * @param buffer Where it goes.
   * @returns How many bytes were copied (0 is a datagram, not the end), who sent it, and whether it was longer than `buffer`.
   */
  recv(buffer: Uint8Array): Promise<{ size: number; from: DatagramAddress; truncated: boolean }>;
}

/**
 * The capability to use a network. A function that is handed none reaches no network.
 *
 * Every implementation can be handed in: the real one from `run`, a wrapper that narrows one, a mock, a simulation.
 */
export interface Net {
  /**
   * Opens a connection.
   *
   * The socket closes when `sw` ends, unless closed first. Cancelling abandons the attempt and closes the half-made socket at once.
   *
   * @param sw The switch that owns the socket.
   * @param target Where to: an address, or a name that is looked up, whose addresses are tried in order.
   * @param options Settings applied before connecting.
   * @returns The connected socket.
   * @throws {NetError} When the connection cannot be made.
   * @throws {TypeError} When `sw` is finished, or an argument is of the wrong kind; nothing was opened then.
   * @throws {RangeError} When a port or a number of milliseconds is out of range.
   * @throws {Cancelled} When the current scope, or `sw`, is cancelled.
   */
  connect(sw: Switch, target: StreamAddress | HostAddress, options?: ConnectOptions): Promise<StreamSocket>;
  /**
   * Listens for connections.
   *
   * The listener closes when `sw` ends, unless closed first.
   *
   * @typeParam A The kind of address.
   * @param sw The switch that owns the listener.
   * @param address Where to listen. Port 0 leaves the port to the system; `::` takes IPv4 connections too.
   * @param options Settings applied before listening.
   * @returns The listening socket.
   * @throws {NetError} When the address cannot be listened on.
   * @throws {TypeError} When `sw` is finished, a Unix path is empty or too long, or an argument is of the wrong kind.
   * @throws {RangeError} When a number is out of range.
   * @throws {Cancelled} When the current scope, or `sw`, is cancelled.
   */
  listen<A extends StreamAddress>(sw: Switch, address: A, options?: ListenOptions): Promise<ListeningSocket<A>>;
  /**
   * Opens a datagram socket.
   *
   * @typeParam A The kind of address.
   * @param sw The switch that owns the socket.
   * @param address The local address, or a family to leave it to the system.
   * @param options Settings applied before binding.
   * @returns The socket.
   * @throws {NetError} `not_supported`: this network has no datagrams yet.
   */
  datagramSocket<A extends DatagramAddress>(
    sw: Switch,
    address: A | "udp4" | "udp6",
    options?: DatagramOptions,
  ): Promise<DatagramSocket<A>>;
  /**
   * Looks up the addresses of a host, in the resolver's order. A literal is never looked up.
   *
   * @param name A host name or an IP address.
   * @param options The service, and which kind of addresses is wanted.
   * @returns At least one address.
   * @throws {NetError} `address_lookup_failed`, with the resolver's own code in `lookupCode`.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  getAddrInfo(name: string, options?: AddrInfoOptions): Promise<(TcpAddress | UdpAddress)[]>;
  /**
   * Looks up the names of an address and its port.
   *
   * @param address What to look up.
   * @returns The host's name and the service's.
   * @throws {NetError} `not_supported`: this network has no reverse lookup yet.
   */
  getNameInfo(address: TcpAddress | UdpAddress): Promise<{ hostname: string; service: string }>;
  /**
   * Looks up who offers a service, by SRV records.
   *
   * @param name The service's name, such as "_http._tcp.example.com".
   * @returns The answers, in the order of RFC 2782.
   * @throws {NetError} `not_supported`: this network has no service lookup yet.
   */
  getServices(name: string): Promise<ServiceRecord[]>;
  /** What this network can do. */
  readonly features: ReadonlySet<NetFeature>;
  /** Every timeout and delay of this network runs on it. */
  readonly clock: Clock;
}
