// Copyright 2026 the Sluice authors. MIT license.

import type { Closable, TwoWay } from "../flow/types.ts";
import type { Clock } from "../switch/clock.ts";
import type { Switch } from "../switch/switch.ts";
import type { DatagramAddress, HostAddress, StreamAddress, TcpAddress, UdpAddress } from "./address.ts";
import type { SocketOptionName, SocketOptions, SocketOptionTypes } from "./socket_option.ts";

/**
 * What one network can do, and another perhaps cannot:
 *
 * - `pullAccept`: a connection stays with the system until somebody accepts it;
 * - `acceptErrors`: errors of accepting are shown, and not swallowed by the runtime;
 * - `reusePort`: several listeners may share a TCP port;
 * - `ipv6Only`: a listener on `::` can keep IPv4 out, by `IPV6_V6ONLY`;
 * - `abstractUnix`: Unix sockets may have names that are no files;
 * - `datagrams`: there are UDP sockets;
 * - `datagramReusePort`: several of them may share a port;
 * - `datagramErrors`: a connected one learns that nobody listens where it sends to;
 * - `multicast`: they can join groups;
 * - `unixDatagrams`: datagram sockets may have Unix paths.
 */
export type NetFeature =
  | "pullAccept"
  | "acceptErrors"
  | "reusePort"
  | "ipv6Only"
  | "abstractUnix"
  | "datagrams"
  | "datagramReusePort"
  | "datagramErrors"
  | "multicast"
  | "unixDatagrams";

/** Options for {@linkcode Net.connect}. */
export interface ConnectOptions {
  /** The local address to connect from. Port 0 leaves the port to the system. */
  bindTo?: StreamAddress | undefined;
  /**
   * Socket options, set in order before the socket is handed out. One that cannot be set fails the call, before connecting if that is known. With a host
   * name, options for one IP version are set where the connection is of that version.
   */
  socketOptions?: SocketOptions | undefined;
  /**
   * How long the whole call may take, in milliseconds; then it fails with `connection_timeout`.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
  /**
   * How long `close` lets bytes that were taken go out and waits for the other side to end, in milliseconds.
   *
   * @default {1000}
   */
  linger?: number | undefined;
}

/** Options for {@linkcode Net.listen}. */
export interface ListenOptions {
  /**
   * How many connections may wait to be accepted: a whole number of at least 1. The system may have a lower limit
   * (`net.core.somaxconn` on Linux).
   *
   * @default {4096}
   */
  backlog?: number | undefined;
  /**
   * For a Unix path: first removes a socket file on which nobody answers. Other files, and a live socket, are left alone, and listening fails.
   *
   * @default {false}
   */
  reuseAddr?: boolean | undefined;
  /**
   * Lets several listeners share one TCP port. Where there is no feature `reusePort`, it is `not_supported`.
   *
   * @default {false}
   */
  reusePort?: boolean | undefined;
  /** Socket options, in order: connections that are accepted inherit them. */
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
  /** Socket options, set in order before the socket is handed out. One that cannot be set fails the call, before binding if that is known. */
  socketOptions?: SocketOptions | undefined;
  /** Makes a connected socket, which sends to this address and receives from nobody else. Of the socket's IP version, or IPv4 on an IPv6 socket. */
  remote?: DatagramAddress | undefined;
}

/** Options for {@linkcode Net.getAddrInfo}. */
export interface AddrInfoOptions {
  /**
   * The name of a service, or a port number as text without leading zeros. A service that runs over TCP only gives no UDP addresses, and the other way round. Names
   * are those of a table of the library. Without a service the port is 0.
   */
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
   * Sets a socket option. Of a listener, connections that are accepted from now on inherit it.
   *
   * @typeParam N The option.
   * @param name The system's name for it.
   * @param value Its value, in the system's units.
   * @throws {NetError} `invalid_option` for an option that there is not, that does not fit this socket, or whose value the system refuses; `not_supported`
   * for one that this runtime does not reach.
   * @throws {TypeError} When the value is of the wrong kind.
   * @throws {RangeError} When it is out of range.
   * @throws {ClosedError} When the socket is closed.
   */
  setOption<N extends SocketOptionName>(name: N, value: SocketOptionTypes[N]): void;
  /**
   * Asks for a socket option: what the system says, or else what was set through this object.
   *
   * @typeParam N The option.
   * @param name The system's name for it.
   * @returns Its value.
   * @throws {NetError} `not_supported` when neither is known: no default is made up; `invalid_option` for an option that there is not, that does not fit
   * this socket, or that cannot be asked for.
   * @throws {ClosedError} When the socket is closed.
   */
  getOption<N extends SocketOptionName>(name: N): SocketOptionTypes[N];
}

/**
 * A connection. It closes when its switch ends, unless closed first.
 *
 * `close` loses nothing that a write took: it lets that go out, ends our direction, and then reads and drops input until
 * the other side has ended too, for at most `linger` milliseconds in all. Then the socket is given back to the system,
 * with a reset if something was left. If the other side has ended already, or nothing was ever written, there is nothing
 * to wait for. If the owning switch has failed or was cancelled, the socket is reset at once.
 */
export interface Connection extends TwoWay, Closable {
  /** Our own address. An unnamed Unix socket has the path "". */
  readonly local: StreamAddress;
  /** The other side's address. An IPv4 peer of a dual-stack listener shows as plain IPv4. */
  readonly peer: StreamAddress;
  /**
   * Closes the connection now, by a reset where the transport has one. What has not gone out is lost, and the other side
   * sees an error. Operations that wait are rejected with {@linkcode ClosedError}, and so are later ones.
   *
   * @param reason Why: the cause of these errors.
   */
  abort(reason?: unknown): void;
}

/** A {@linkcode Connection} that is a socket, and so has socket options. */
export interface StreamSocket extends Connection, Socket {}

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
   * Refuses new clients from now on, but lets the connections that the system has established so far be accepted, as far
   * as can be told. A server that stops does so before it closes the listener, which resets them.
   */
  stopListening?(): Promise<void>;
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

/** A whole datagram. */
export interface Datagram {
  /** What was sent. It may be empty, and the memory is the receiver's. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Who sent it. */
  readonly from: DatagramAddress;
}

/** What {@linkcode DatagramSocket.recv} says of a datagram. */
export interface ReceivedDatagram {
  /** How many bytes were copied. 0 is a datagram, not the end. */
  readonly size: number;
  /** Who sent it. An IPv4 sender to an IPv6 socket shows as plain IPv4. */
  readonly from: DatagramAddress;
  /** Whether it was longer than the buffer, and the rest is lost. */
  readonly truncated: boolean;
}

/**
 * A socket for single messages, of which any may be lost, doubled or overtaken. It closes when its switch ends, unless closed first.
 *
 * What arrives is queued until it is received: up to 1024 datagrams and 1 MiB, since the runtimes read without being asked. More is dropped, as the system does
 * when its own buffer is full.
 *
 * Source: RFC 768, udp(7), Eio's `Net.send` and `Net.recv`.
 *
 * @typeParam A The kind of address.
 */
export interface DatagramSocket<A extends DatagramAddress = DatagramAddress> extends Socket {
  /** Our own address, with the real port. */
  readonly local: A;
  /** Where it is connected to, if it is. */
  readonly remote?: DatagramAddress | undefined;
  /** How many datagrams were dropped here because the queue was full. What the system drops is not counted. */
  readonly dropped?: number | undefined;
  /**
   * Sends one datagram, whole or not at all. Several sends may be under way; they go out in order.
   *
   * It waits while too many are on their way to the system, and can be cancelled then: nothing was sent. One that the system is being given is past
   * cancelling, which takes a turn, or, when the system's buffer is full, until there is room. `data` may be reused afterwards.
   *
   * @param data What to send; several pieces make one datagram. It may be empty.
   * @param to Where to; without it, to where the socket is connected.
   * @throws {NetError} `message_too_large` for more than 65507 bytes to an IPv4 address or 65527 to an IPv6 one, before any system call; what the system says,
   * such as `permission_denied` for a broadcast without `SO_BROADCAST`. On a connected socket also what the other side answered to earlier datagrams,
   * `connection_refused` (where there is the feature `datagramErrors`); nothing was sent then.
   * @throws {TypeError} When there is no address, `to` is not the address that the socket is connected to, or it is of a kind that the socket cannot send to.
   * @throws {RangeError} When the port is 0.
   * @throws {ClosedError} When the socket is closed, now or meanwhile; the datagram may have been sent.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  send(data: Uint8Array | readonly Uint8Array[], to?: DatagramAddress): Promise<void>;
  /**
   * Waits for one datagram.
   *
   * @param buffer Where it goes. What does not fit is lost, and the next call gets the next datagram.
   * @returns How many bytes were copied, who sent it, and whether it was longer than `buffer`.
   * @throws {NetError} On a connected socket, what the other side answered to earlier datagrams: `connection_refused` (where there is the feature
   * `datagramErrors`). The socket can be used on.
   * @throws {BusyError} While another call waits.
   * @throws {ClosedError} When the socket is closed, now or meanwhile.
   * @throws {Cancelled} When the current scope is cancelled; no datagram is lost then.
   */
  recv(buffer: Uint8Array): Promise<ReceivedDatagram>;
  /**
   * Waits for at least one datagram and takes all that have arrived, whole, without copying them.
   *
   * @returns The datagrams, in order.
   * @throws {NetError} As {@linkcode DatagramSocket.recv}, when nothing has arrived before.
   * @throws {BusyError} While another call waits.
   * @throws {ClosedError} When the socket is closed, now or meanwhile.
   * @throws {Cancelled} When the current scope is cancelled; no datagram is lost then.
   */
  recvMany(): Promise<Datagram[]>;
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
   * A name is looked up once and its addresses are raced as RFC 8305 says: an attempt starts 250 ms after the one before it, or as soon as one fails, IPv6 and
   * IPv4 in turn, and every loser is closed at once. When all fail, the error has the last code, and as its cause an `AggregateError` with one error for each
   * address, in the order in which they were tried.
   *
   * @param target Where to: an address, or a name.
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
   * The socket closes when `sw` ends, unless closed first.
   *
   * @typeParam A The kind of address.
   * @param sw The switch that owns the socket.
   * @param address The local address, or "udp4" or "udp6" to leave it to the system. Port 0 leaves the port to the system; `::` takes IPv4 datagrams too.
   * @param options Settings applied before the socket is handed out.
   * @returns The socket.
   * @throws {NetError} When the address cannot be bound to; `not_supported` for a Unix path (no runtime has them: the feature `unixDatagrams` is
   * missing), and for `reusePort` where there is no feature `datagramReusePort`.
   * @throws {TypeError} When `sw` is finished, or an argument is of the wrong kind.
   * @throws {RangeError} When a number is out of range.
   * @throws {Cancelled} When the current scope, or `sw`, is cancelled.
   */
  datagramSocket<A extends DatagramAddress>(
    sw: Switch,
    address: A | "udp4" | "udp6",
    options?: DatagramOptions,
  ): Promise<DatagramSocket<A>>;
  /**
   * Looks up the addresses of a host, in the resolver's order. A literal is never looked up, and what can be no host name is nobody's, without asking: numbers in
   * old spellings of an address (`127.1`, `0x7f000001`), a NUL, what is too long.
   *
   * Cancelling gives the question up; getaddrinfo, which cannot be stopped, ends in the background.
   *
   * @param name A host name or an IP address.
   * @param options The service, and which kind of addresses is wanted.
   * @returns At least one address.
   * @throws {NetError} `address_lookup_failed`, with the resolver's own code in `lookupCode`: `NONAME`, `NODATA`, `AGAIN`, `FAIL`, …; `SERVICE` for an unknown service.
   * @throws {TypeError} When an argument is of the wrong kind.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  getAddrInfo(name: string, options?: AddrInfoOptions): Promise<(TcpAddress | UdpAddress)[]>;
  /**
   * Looks up the names of an address and its port. What has no name is its own: the address, or the port, as text. So is an address whose name can be no host name,
   * or is the literal of another address: whoever owns an address says what it is called.
   *
   * Source: getnameinfo(3) without `NI_NAMEREQD`; Eio's `Net.getnameinfo`.
   *
   * @param address What to look up.
   * @returns The host's name, and the service's over the transport of the address.
   * @throws {NetError} `address_lookup_failed` when the resolver could not answer, with its own code in `lookupCode`.
   * @throws {TypeError} When `address` is neither a TCP nor a UDP address.
   * @throws {RangeError} When the port is out of range.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  getNameInfo(address: TcpAddress | UdpAddress): Promise<{ hostname: string; service: string }>;
  /**
   * Looks up who offers a service, by SRV records. The targets are names, to be connected to with {@linkcode hostAddress}; one that can be no host name is dropped.
   *
   * Source: RFC 2782.
   *
   * @param name The service's name, such as "_http._tcp.example.com".
   * @returns At least one record: those of the lowest priority first, and those of one priority in a random order in which each has the chances of its weight.
   * @throws {NetError} `address_lookup_failed`, with the resolver's own code in `lookupCode`: `SERVICE` when the domain says that it does not offer the service.
   * @throws {TypeError} When `name` is not a string.
   * @throws {Cancelled} When the current scope is cancelled.
   */
  getServices(name: string): Promise<ServiceRecord[]>;
  /** What this network can do. */
  readonly features: ReadonlySet<NetFeature>;
  /** Every timeout and delay of this network runs on it. */
  readonly clock: Clock;
}
