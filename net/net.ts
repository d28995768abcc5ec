// Copyright 2026 the Sluice authors. MIT license.

import type { Clock, Switch } from "../switch/internal.ts";
import type { DatagramAddress, HostAddress, StreamAddress, TcpAddress, UdpAddress } from "./address.ts";
import type { ConnectOptions, StreamSocket } from "./connection.ts";
import type { DatagramOptions, DatagramSocket } from "./datagram_socket.ts";
import type { IpAddress } from "./ip_address.ts";
import type { ListeningSocket, ListenOptions } from "./listener.ts";

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
   * A name is looked up once and its {@linkcode Net.addresses} are raced as RFC 8305 says: an attempt starts 250 ms after
   * the one before it, or as soon as one fails, IPv6 and IPv4 in turn, and every loser is closed at once. When all fail, the
   * error has the last code, and as its cause an `AggregateError` with one error for each address, in the order in which
   * they were tried.
   *
   * @param sw The switch that owns the socket.
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
   * Looks up the addresses of a host, and yields the answers as they come: those of one family, where the resolver asks
   * for the families separately, and later those of the other. Each address comes once. {@linkcode Net.connect} to a name
   * races these; {@linkcode connectAny} races what a program makes of them.
   *
   * Nothing is asked before the first `next`, and each iteration asks anew. Names are treated as by
   * {@linkcode Net.getAddrInfo}: a literal is never looked up.
   *
   * Leaving the loop gives the question up, and so does cancelling the scope in which the loop waits.
   *
   * @param name A host name or an IP address.
   * @returns At least one list, none of them empty.
   * @throws {NetError} `address_lookup_failed`, as of {@linkcode Net.getAddrInfo}, from `next`.
   * @throws {TypeError} When `name` is not a string, from `next`.
   * @throws {Cancelled} When the current scope is cancelled, from `next`.
   *
   * @example The first family that is known
   * ```ts
   * import { run } from "@sluice/io";
   * import { assertEquals } from "@std/assert";
   *
   * await run(async ({ net }) => {
   *   for await (const ips of net.addresses("192.0.2.7")) assertEquals(ips.map(String), ["192.0.2.7"]);
   * });
   * ```
   */
  addresses(name: string): AsyncIterable<readonly IpAddress[]>;
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
