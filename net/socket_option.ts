// Copyright 2026 the Sluice authors. MIT license.

/** The table of socket options: their names, values, and checks. */
import { describe, quoteText } from "../base/internal.ts";
import { NetError } from "./errors.ts";
import { IpAddress } from "./ip_address.ts";

/** A multicast group to join or leave. */
export interface GroupMembership {
  /** The group's address. */
  readonly group: IpAddress | string;
  /**
   * The interface: for IPv4 one of its addresses, for IPv6 its name, such as "eth0". By default the
   * system chooses.
   */
  readonly interface?: IpAddress | string | undefined;
}

/** A multicast group to join or leave for one sender (source-specific multicast). */
export interface SourceMembership extends GroupMembership {
  /** The sender's address. */
  readonly source: IpAddress | string;
}

/**
 * The value types of socket options, by the system's names. Numbers are in the system's units:
 * seconds, except milliseconds for `TCP_USER_TIMEOUT`.
 *
 * Each runtime supports only some of them; the others are `not_supported`. An option of another
 * kind of socket (`TCP_` on a datagram socket, `IPV6_` on an IPv4 one) is `invalid_option`.
 * `SO_REUSEADDR` and `SO_REUSEPORT` can be set only before binding: by `reuseAddr` and `reusePort`.
 *
 * Source: Eio's `Net.Sockopt` and `Eio_unix.Net.Sockopt`; socket(7), tcp(7), ip(7), ipv6(7),
 * udp(7).
 */
export interface SocketOptionTypes {
  /** Whether datagrams may be sent to a broadcast address. */
  readonly SO_BROADCAST: boolean;
  /** Whether the system records debugging information. */
  readonly SO_DEBUG: boolean;
  /** Whether routing tables are bypassed. */
  readonly SO_DONTROUTE: boolean;
  /** Whether the system probes an idle connection, after `TCP_KEEPIDLE`. */
  readonly SO_KEEPALIVE: boolean;
  /**
   * How long the system's own close waits, in seconds; null to disable it. The portable option is
   * `linger` of `connect` and `listen`.
   */
  readonly SO_LINGER: number | null;
  /** Whether urgent data is received inline. */
  readonly SO_OOBINLINE: boolean;
  /**
   * The size of the system's receive buffer, in bytes. Linux doubles the value that is set, and
   * `getOption` returns the result.
   */
  readonly SO_RCVBUF: number;
  /** The least number of received bytes for which the system reports a readable socket. */
  readonly SO_RCVLOWAT: number;
  /** The timeout of the system's own reads, in seconds. */
  readonly SO_RCVTIMEO: number;
  /** Whether an address that is still in use can be bound. */
  readonly SO_REUSEADDR: boolean;
  /** Whether several sockets may share a port. */
  readonly SO_REUSEPORT: boolean;
  /** The size of the system's send buffer, in bytes; see `SO_RCVBUF`. */
  readonly SO_SNDBUF: number;
  /** The least free space, in bytes, for which the system reports a writable socket. */
  readonly SO_SNDLOWAT: number;
  /** The timeout of the system's own writes, in seconds. */
  readonly SO_SNDTIMEO: number;
  /** The congestion control algorithm. */
  readonly TCP_CONGESTION: string;
  /** Whether only full packets are sent. */
  readonly TCP_CORK: boolean;
  /** How long a connection may wait for its first data before it is accepted, in seconds. */
  readonly TCP_DEFER_ACCEPT: number;
  /** The number of pending connections whose first packet carried data (TCP Fast Open). */
  readonly TCP_FASTOPEN: number;
  /** How many unanswered probes break the connection. `TCP_KEEPIDLE` must be set first. */
  readonly TCP_KEEPCNT: number;
  /**
   * How long a connection is idle before `SO_KEEPALIVE` probes it, in seconds. With it, Bun and
   * Node set an interval of 1 s and 10 probes.
   */
  readonly TCP_KEEPIDLE: number;
  /** The interval between keep-alive probes, in seconds. `TCP_KEEPIDLE` must be set first. */
  readonly TCP_KEEPINTVL: number;
  /** How long a closed socket waits for the peer's FIN, in seconds. */
  readonly TCP_LINGER2: number;
  /** The maximum segment size, in bytes. */
  readonly TCP_MAXSEG: number;
  /** Whether small writes are sent at once (Nagle's algorithm off). */
  readonly TCP_NODELAY: boolean;
  /** Whether received data is acknowledged at once. */
  readonly TCP_QUICKACK: boolean;
  /** How often the system sends a SYN before it gives up connecting. */
  readonly TCP_SYNCNT: number;
  /** How long sent data may remain unacknowledged before the connection breaks, in milliseconds. */
  readonly TCP_USER_TIMEOUT: number;
  /** The maximum advertised receive window, in bytes. */
  readonly TCP_WINDOW_CLAMP: number;
  /** Joins a group, until the socket closes. It can only be set. */
  readonly IP_ADD_MEMBERSHIP: GroupMembership;
  /** Joins a group for one sender. */
  readonly IP_ADD_SOURCE_MEMBERSHIP: SourceMembership;
  /** Whether the local port is chosen only when connecting. */
  readonly IP_BIND_ADDRESS_NO_PORT: boolean;
  /** Leaves a group. */
  readonly IP_DROP_MEMBERSHIP: GroupMembership;
  /** Leaves a group for one sender. */
  readonly IP_DROP_SOURCE_MEMBERSHIP: SourceMembership;
  /** Whether an address that does not exist yet can be bound. */
  readonly IP_FREEBIND: boolean;
  /** The range of ephemeral ports. */
  readonly IP_LOCAL_PORT_RANGE: readonly [low: number, high: number];
  /** The path MTU, in bytes. It cannot be set. */
  readonly IP_MTU: number;
  /** The mode of path MTU discovery: 0 to 5, see ip(7). */
  readonly IP_MTU_DISCOVER: number;
  /** The outgoing interface for multicast: one of its addresses. */
  readonly IP_MULTICAST_IF: IpAddress | string;
  /** Whether multicast is looped back to this host. */
  readonly IP_MULTICAST_LOOP: boolean;
  /** The TTL of multicast. Deno and Bun refuse 0. */
  readonly IP_MULTICAST_TTL: number;
  /** The type of service (DSCP and ECN). */
  readonly IP_TOS: number;
  /** The TTL of packets. */
  readonly IP_TTL: number;
  /** Joins a group, until the socket closes. It can only be set. */
  readonly IPV6_JOIN_GROUP: GroupMembership;
  /** Leaves a group. */
  readonly IPV6_LEAVE_GROUP: GroupMembership;
  /** The hop limit of multicast. */
  readonly IPV6_MULTICAST_HOPS: number;
  /** The outgoing interface for multicast: its name. */
  readonly IPV6_MULTICAST_IF: string;
  /** Whether multicast is looped back to this host. */
  readonly IPV6_MULTICAST_LOOP: boolean;
  /** The traffic class. */
  readonly IPV6_TCLASS: number;
  /** The hop limit of packets. */
  readonly IPV6_UNICAST_HOPS: number;
  /** Whether IPv4 is excluded. It can be set only before binding: in `socketOptions`. */
  readonly IPV6_V6ONLY: boolean;
}

/** The name of a socket option. */
export type SocketOptionName = keyof SocketOptionTypes;

/** The value of a socket option. */
export type SocketOptionValue = SocketOptionTypes[SocketOptionName];

/** Socket options by the system's names, set in the object's order; `undefined` means absent. */
export type SocketOptions = { readonly [N in SocketOptionName]?: SocketOptionTypes[N] | undefined };

/** A checked option to set. */
export type SocketOptionEntry = readonly [name: SocketOptionName, value: SocketOptionValue];

/** Checks a value and returns it with addresses as `IpAddress`; errors name the value and rule. */
type Check = (name: string, value: unknown) => SocketOptionValue;

const maxInt32 = 2 ** 31 - 1;
const seconds = finite(0, maxInt32);

const checks: Readonly<Record<SocketOptionName, Check>> = {
  SO_BROADCAST: flag,
  SO_DEBUG: flag,
  SO_DONTROUTE: flag,
  SO_KEEPALIVE: flag,
  SO_LINGER: (name, value) => value === null ? null : whole(0, 65_535)(name, value),
  SO_OOBINLINE: flag,
  SO_RCVBUF: whole(1, maxInt32),
  SO_RCVLOWAT: whole(1, maxInt32),
  SO_RCVTIMEO: seconds,
  SO_REUSEADDR: flag,
  SO_REUSEPORT: flag,
  SO_SNDBUF: whole(1, maxInt32),
  SO_SNDLOWAT: whole(1, maxInt32),
  SO_SNDTIMEO: seconds,
  TCP_CONGESTION: text,
  TCP_CORK: flag,
  TCP_DEFER_ACCEPT: whole(0, maxInt32),
  TCP_FASTOPEN: whole(0, maxInt32),
  TCP_KEEPCNT: whole(1, 127),
  TCP_KEEPIDLE: whole(1, 32_767),
  TCP_KEEPINTVL: whole(1, 32_767),
  TCP_LINGER2: whole(-1, maxInt32),
  TCP_MAXSEG: whole(1, 65_535),
  TCP_NODELAY: flag,
  TCP_QUICKACK: flag,
  TCP_SYNCNT: whole(1, 255),
  TCP_USER_TIMEOUT: whole(0, maxInt32),
  TCP_WINDOW_CLAMP: whole(0, maxInt32),
  IP_ADD_MEMBERSHIP: membership(4),
  IP_ADD_SOURCE_MEMBERSHIP: membership(4, true),
  IP_BIND_ADDRESS_NO_PORT: flag,
  IP_DROP_MEMBERSHIP: membership(4),
  IP_DROP_SOURCE_MEMBERSHIP: membership(4, true),
  IP_FREEBIND: flag,
  IP_LOCAL_PORT_RANGE: portRange,
  IP_MTU: (name) => {
    throw new TypeError(`Cannot set ${name}: it can only be asked for`);
  },
  IP_MTU_DISCOVER: whole(0, 5),
  IP_MULTICAST_IF: (name, value) => ipOf(name, value, 4),
  IP_MULTICAST_LOOP: flag,
  IP_MULTICAST_TTL: whole(0, 255),
  IP_TOS: whole(0, 255),
  IP_TTL: whole(1, 255),
  IPV6_JOIN_GROUP: membership(6),
  IPV6_LEAVE_GROUP: membership(6),
  IPV6_MULTICAST_HOPS: whole(0, 255),
  IPV6_MULTICAST_IF: interfaceName,
  IPV6_MULTICAST_LOOP: flag,
  IPV6_TCLASS: whole(0, 255),
  IPV6_UNICAST_HOPS: whole(1, 255),
  IPV6_V6ONLY: flag,
};

/** The names of all options. */
export const socketOptionNames: readonly SocketOptionName[] = Object.freeze(Object.keys(checks) as SocketOptionName[]);

/** Checks the name of an option. An unknown one is `invalid_option`. */
export function checkOptionName(operation: "setOption" | "getOption", name: unknown): SocketOptionName {
  if (typeof name === "string" && Object.hasOwn(checks, name)) return name as SocketOptionName;
  throw new NetError("invalid_option", { operation, address: typeof name === "string" ? name : describe(name) });
}

/** Checks the value of an option and returns it, frozen and with addresses as `IpAddress`. */
export function checkOptionValue(name: SocketOptionName, value: unknown): SocketOptionValue {
  return checks[name](name, value);
}

function flag(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`Cannot set ${name} as it must be a boolean: current value is ${describe(value)}`);
}

function whole(min: number, max: number): Check {
  const check = finite(min, max);
  return (name, value) => {
    if (Number.isInteger(check(name, value))) return value as number;
    throw new RangeError(`Cannot set ${name} as it must be a whole number: current value is ${value}`);
  };
}

function finite(min: number, max: number): Check {
  return (name, value) => {
    if (typeof value !== "number") {
      throw new TypeError(`Cannot set ${name} as it must be a number: current value is ${describe(value)}`);
    }
    if (value >= min && value <= max) return value;
    throw new RangeError(`Cannot set ${name} as it must be from ${min} to ${max}: current value is ${value}`);
  };
}

function text(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`Cannot set ${name} as it must be a text that is not empty: current value is ${describe(value)}`);
}

function interfaceName(name: string, value: unknown): string {
  const given = text(name, value);
  if (/^[\x21-\x7e]{1,15}$/.test(given) && !/[/%:]/.test(given)) return given;
  throw new TypeError(`Cannot set ${name}: ${quoteText(given)} is not the name of an interface`);
}

function portRange(name: string, value: unknown): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2) {
    throw new TypeError(
      `Cannot set ${name} as it must be a lowest and a highest port: current value is ${describe(value)}`,
    );
  }
  const [low, high] = value.map((port) => whole(0, 65_535)(name, port) as number);
  if (low <= high) return Object.freeze([low, high] as const);
  throw new RangeError(`Cannot set ${name} as the lowest port must not be above the highest: ${low} > ${high}`);
}

function membership(version: 4 | 6, fromSource = false): Check {
  return (name, value) => {
    if (typeof value !== "object" || value === null) {
      throw new TypeError(
        `Cannot set ${name} as it must be an object with a group: current value is ${describe(value)}`,
      );
    }
    const given = value as Partial<SourceMembership>;
    const { interface: asked, source } = given;
    const group = ipOf(name, given.group, version);
    if (!isMulticast(group)) throw new RangeError(`Cannot set ${name}: ${group} is not a multicast address`);
    const through = asked === undefined ? undefined : version === 4 ? ipOf(name, asked, 4) : interfaceName(name, asked);
    return fromSource
      ? Object.freeze({ group, interface: through, source: ipOf(name, source, version) })
      : Object.freeze({ group, interface: through });
  };
}

function ipOf(name: string, value: unknown, version: 4 | 6): IpAddress {
  const ip = IpAddress.isIpAddress(value) ? value : IpAddress.parse(text(name, value));
  if (ip.version === version) return ip;
  throw new TypeError(`Cannot set ${name} as it must be an IPv${version} address: current value is ${ip}`);
}

function isMulticast({ version, bytes }: IpAddress): boolean {
  return version === 4 ? bytes[0] >> 4 === 0xe : bytes[0] === 0xff;
}
