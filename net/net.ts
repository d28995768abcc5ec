// Copyright 2026 the Sluice authors. MIT license.

import { checkClock, checkShape } from "../base/internal.ts";
import type { Clock, Switch } from "../switch/internal.ts";
import type { DatagramAddress, HostAddress, StreamAddress, TcpAddress, UdpAddress } from "./address.ts";
import type { ConnectOptions, StreamSocket } from "./connection.ts";
import type { DatagramOptions, DatagramSocket } from "./datagram_socket.ts";
import type { IpAddress } from "./ip_address.ts";
import type { ListeningSocket, ListenOptions } from "./listener.ts";

/**
 * What a network supports:
 *
 * - `pullAccept`: connections stay in the system's backlog until they are accepted;
 * - `acceptErrors`: errors of accepting are reported, not swallowed by the runtime;
 * - `reset`: `abort()` of a TCP connection resets it, so that the peer does not see an end;
 * - `reusePort`: several listeners can share a TCP port;
 * - `ipv6Only`: a listener on `::` can exclude IPv4, by `IPV6_V6ONLY`;
 * - `abstractUnix`: Unix sockets can have abstract names, which are not files;
 * - `datagrams`: there are UDP sockets;
 * - `datagramReusePort`: several UDP sockets can share a port;
 * - `datagramErrors`: a connected UDP socket reports that no socket receives its datagrams;
 * - `multicast`: UDP sockets can join groups;
 * - `unixDatagrams`: datagram sockets can have Unix paths.
 */
export type NetFeature =
  | "pullAccept"
  | "acceptErrors"
  | "reset"
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
   * A service by name, or a port number as text without leading zeros. A TCP-only service yields no
   * UDP addresses, and vice versa. Names come from a table of this library. Without a service, the
   * port is 0.
   */
  service?: string | undefined;
  /** The kind of addresses to return. By default, each answer yields both kinds. */
  type?: "stream" | "datagram" | undefined;
}

/** One answer of {@linkcode Net.getServices}. */
export interface ServiceRecord {
  /** The name of the host that offers the service. */
  readonly name: string;
  /** Its port. */
  readonly port: number;
  /** The priority; records with lower values are tried first. */
  readonly priority: number;
  /** The relative weight among records of the same priority. */
  readonly weight: number;
}

/**
 * The capability to use a network: a function without a `Net` cannot reach one.
 *
 * Implementations are interchangeable: the real one from `run`, a wrapper that restricts one, a
 * mock, a simulation.
 */
export interface Net {
  /**
   * Opens a connection.
   *
   * The socket closes when `sw` ends, unless closed first. Cancelling abandons the attempt, and
   * closes the unconnected socket at once.
   *
   * A name is looked up once, and its {@linkcode Net.addresses} are raced as in RFC 8305 (Happy
   * Eyeballs): IPv6 and IPv4 alternate, each attempt starts 250 ms after the previous one or as
   * soon as one fails, and every loser is closed at once. If all fail, the error has the last code,
   * and as its cause an `AggregateError` with one error for each address, in the order of the
   * attempts.
   *
   * @param sw The switch that owns the socket.
   * @param target The address or name to connect to.
   * @param options Settings applied before connecting.
   * @returns The connected socket.
   * @throws {NetError} If the connection cannot be established.
   * @throws {TypeError} If `sw` is finished, or an argument is of the wrong kind; nothing was
   * opened then.
   * @throws {RangeError} If a port or a number of milliseconds is out of range.
   * @throws {Cancelled} If the current scope, or `sw`, is cancelled.
   */
  connect(sw: Switch, target: StreamAddress | HostAddress, options?: ConnectOptions): Promise<StreamSocket>;
  /**
   * Listens for connections.
   *
   * The listener closes when `sw` ends, unless closed first.
   *
   * @typeParam A The kind of address.
   * @param sw The switch that owns the listener.
   * @param address The address to listen on. Port 0 selects an ephemeral port; `::` accepts IPv4
   * connections too.
   * @param options Settings applied before listening.
   * @returns The listening socket.
   * @throws {NetError} If the address cannot be listened on.
   * @throws {TypeError} If `sw` is finished, a Unix path is empty or too long, or an argument is of
   * the wrong kind.
   * @throws {RangeError} If a number is out of range.
   * @throws {Cancelled} If the current scope, or `sw`, is cancelled.
   */
  listen<A extends StreamAddress>(sw: Switch, address: A, options?: ListenOptions): Promise<ListeningSocket<A>>;
  /**
   * Opens a datagram socket.
   *
   * The socket closes when `sw` ends, unless closed first.
   *
   * @typeParam A The kind of address.
   * @param sw The switch that owns the socket.
   * @param address The local address, or "udp4" or "udp6" for any. Port 0 selects an ephemeral
   * port; `::` receives IPv4 datagrams too.
   * @param options Settings applied before the socket is returned.
   * @returns The socket.
   * @throws {NetError} If the address cannot be bound; `not_supported` for a Unix path without the
   * feature `unixDatagrams` (no runtime has it), and for `reusePort` without the feature
   * `datagramReusePort`.
   * @throws {TypeError} If `sw` is finished, or an argument is of the wrong kind.
   * @throws {RangeError} If a number is out of range.
   * @throws {Cancelled} If the current scope, or `sw`, is cancelled.
   */
  datagramSocket<A extends DatagramAddress>(
    sw: Switch,
    address: A | "udp4" | "udp6",
    options?: DatagramOptions,
  ): Promise<DatagramSocket<A>>;
  /**
   * Looks up the addresses of a host, in the resolver's order. An IP address literal is not looked
   * up. An invalid host name is `NONAME` without a lookup: a legacy spelling of an IPv4 address
   * (`127.1`, `0x7f000001`), a NUL, a name that is too long.
   *
   * Cancelling abandons the lookup; getaddrinfo cannot be stopped, and ends in the background.
   *
   * @param name A host name or an IP address.
   * @param options The service, and the kind of addresses.
   * @returns At least one address.
   * @throws {NetError} `address_lookup_failed`, with the resolver's own code in `lookupCode`:
   * `NONAME`, `NODATA`, `AGAIN`, `FAIL` and so on; `SERVICE` for an unknown service.
   * @throws {TypeError} If an argument is of the wrong kind.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  getAddrInfo(name: string, options?: AddrInfoOptions): Promise<(TcpAddress | UdpAddress)[]>;
  /**
   * Looks up the addresses of a host, and yields the answers as they come: first those of one
   * family, if the resolver asks for the families separately, and later those of the other. Each
   * address comes once. {@linkcode Net.connect} to a name races these; {@linkcode connectAny} races
   * those that a program selects.
   *
   * The lookup begins with the first `next`; each iteration looks the name up again. Names are
   * treated as by {@linkcode Net.getAddrInfo}: a literal is never looked up.
   *
   * Leaving the loop abandons the lookup, and so does cancelling the scope in which the loop waits.
   *
   * @param name A host name or an IP address.
   * @returns At least one list; no list is empty.
   * @throws {NetError} `address_lookup_failed`, as of {@linkcode Net.getAddrInfo}, from `next`.
   * @throws {TypeError} If `name` is not a string, from `next`.
   * @throws {Cancelled} If the current scope is cancelled, from `next`.
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
   * Looks up the host name of an address and the service name of its port. Without a name, the
   * address or port is returned as text. So is an address whose name is invalid or the literal of
   * another address: the owner of an address controls its name, and could forge it.
   *
   * Source: getnameinfo(3) without `NI_NAMEREQD`; Eio's `Net.getnameinfo`.
   *
   * @param address The address to look up.
   * @returns The host name, and the service name for the transport of the address.
   * @throws {NetError} `address_lookup_failed` if the resolver could not answer, with its own code
   * in `lookupCode`.
   * @throws {TypeError} If `address` is neither a TCP nor a UDP address.
   * @throws {RangeError} If the port is out of range.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  getNameInfo(address: TcpAddress | UdpAddress): Promise<{ hostname: string; service: string }>;
  /**
   * Looks up the hosts that offer a service, by SRV records. The targets are names, to be connected
   * to with {@linkcode hostAddress}; invalid ones are dropped.
   *
   * Source: RFC 2782.
   *
   * @param name The service's name, such as "_http._tcp.example.com".
   * @returns At least one record: lowest priority first, and within a priority in random order by
   * weight.
   * @throws {NetError} `address_lookup_failed`, with the resolver's own code in `lookupCode`:
   * `SERVICE` if the domain does not offer the service.
   * @throws {TypeError} If `name` is not a string.
   * @throws {Cancelled} If the current scope is cancelled.
   */
  getServices(name: string): Promise<ServiceRecord[]>;
  /** What this network supports. */
  readonly features: ReadonlySet<NetFeature>;
  /** The clock for every timeout and delay of this network. */
  readonly clock: Clock;
}

/**
 * Returns the clock of a network, which may be a user's own.
 *
 * @throws {TypeError} If `net` has no clock, or not this method.
 */
export function clockOfNet(action: string, net: unknown, method: keyof Net): Clock {
  checkShape(action, "net", "a Net", net, method);
  const { clock } = net as Net;
  checkClock(action, clock);
  return clock;
}
