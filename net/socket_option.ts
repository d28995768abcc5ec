// Copyright 2026 the Sluice authors. MIT license.

/** The table of socket options: which there are, what they hold, and on which sockets. */
import { describe, quoteText } from "../base/internal.ts";
import { NetError } from "./errors.ts";
import { IpAddress } from "./ip_address.ts";

/** A multicast group to join or to leave. */
export interface GroupMembership {
  /** The group's address. */
  readonly group: IpAddress | string;
  /** The interface: for IPv4 one of its addresses, for IPv6 its name, such as "eth0". Without it the system chooses. */
  readonly interface?: IpAddress | string | undefined;
}

/** A multicast group to join or to leave for what one host sends. */
export interface SourceMembership extends GroupMembership {
  /** The sender's address. */
  readonly source: IpAddress | string;
}

/**
 * What the socket options hold, by the system's names. Numbers are in the system's units: seconds, but for `TCP_USER_TIMEOUT`, which is milliseconds.
 *
 * Each runtime reaches only some; `docs/runtimes.md` has the table. Another one is `not_supported`, and one that does not fit the socket (`TCP_` on a datagram
 * socket, `IPV6_` on an IPv4 one) is `invalid_option`. `SO_REUSEADDR` and `SO_REUSEPORT` can only be set before binding: by `reuseAddr` and `reusePort`.
 *
 * Source: Eio's `Net.Sockopt` and `Eio_unix.Net.Sockopt`; socket(7), tcp(7), ip(7), ipv6(7), udp(7).
 */
export interface SocketOptionTypes {
  /** Whether datagrams may be sent to a broadcast address. */
  readonly SO_BROADCAST: boolean;
  /** Whether the system traces the socket. */
  readonly SO_DEBUG: boolean;
  /** Whether routing tables are ignored. */
  readonly SO_DONTROUTE: boolean;
  /** Whether the system finds out by itself that the other side is gone: after `TCP_KEEPIDLE`. */
  readonly SO_KEEPALIVE: boolean;
  /** How long the system's own close waits, in seconds; null for not at all. The option `linger` of `connect` and `listen` is the portable one. */
  readonly SO_LINGER: number | null;
  /** Whether urgent bytes arrive among the others. */
  readonly SO_OOBINLINE: boolean;
  /** The size of the system's receive buffer, in bytes. Linux doubles what is asked for, and `getOption` gives what it made of it. */
  readonly SO_RCVBUF: number;
  /** How many bytes must be there before the system says so. */
  readonly SO_RCVLOWAT: number;
  /** How long the system's own reads wait, in seconds. */
  readonly SO_RCVTIMEO: number;
  /** Whether an address that is still in use may be bound to. */
  readonly SO_REUSEADDR: boolean;
  /** Whether several sockets may share a port. */
  readonly SO_REUSEPORT: boolean;
  /** The size of the system's send buffer, in bytes; see `SO_RCVBUF`. */
  readonly SO_SNDBUF: number;
  /** How many bytes must fit before the system says so. */
  readonly SO_SNDLOWAT: number;
  /** How long the system's own writes wait, in seconds. */
  readonly SO_SNDTIMEO: number;
  /** The algorithm of congestion control. */
  readonly TCP_CONGESTION: string;
  /** Whether only full packets are sent. */
  readonly TCP_CORK: boolean;
  /** How long a connection may wait for its first bytes before it is accepted, in seconds. */
  readonly TCP_DEFER_ACCEPT: number;
  /** How many connections may wait whose first packet carried bytes. */
  readonly TCP_FASTOPEN: number;
  /** How many probes of `SO_KEEPALIVE` go unanswered before the connection breaks. Where it can be set, `TCP_KEEPIDLE` must be set first. */
  readonly TCP_KEEPCNT: number;
  /** How long the other side is silent before `SO_KEEPALIVE` probes it, in seconds. Bun and Node set 1 s between probes and 10 probes with it. */
  readonly TCP_KEEPIDLE: number;
  /** The time between two probes of `SO_KEEPALIVE`, in seconds. Where it can be set, `TCP_KEEPIDLE` must be set first. */
  readonly TCP_KEEPINTVL: number;
  /** How long a closed socket waits for the other side's end, in seconds. */
  readonly TCP_LINGER2: number;
  /** The size of the largest packet, in bytes. */
  readonly TCP_MAXSEG: number;
  /** Whether small writes are sent at once, instead of waiting for the answer to earlier ones. */
  readonly TCP_NODELAY: boolean;
  /** Whether what arrives is answered at once. */
  readonly TCP_QUICKACK: boolean;
  /** How often the system tries to connect. */
  readonly TCP_SYNCNT: number;
  /** How long sent bytes may stay unanswered before the connection breaks, in milliseconds. */
  readonly TCP_USER_TIMEOUT: number;
  /** The largest window that the other side is told, in bytes. */
  readonly TCP_WINDOW_CLAMP: number;
  /** Joins a group. It cannot be asked for, and each group is left when the socket closes. */
  readonly IP_ADD_MEMBERSHIP: GroupMembership;
  /** Joins a group for what one host sends. */
  readonly IP_ADD_SOURCE_MEMBERSHIP: SourceMembership;
  /** Whether the port is chosen only when connecting. */
  readonly IP_BIND_ADDRESS_NO_PORT: boolean;
  /** Leaves a group. */
  readonly IP_DROP_MEMBERSHIP: GroupMembership;
  /** Leaves a group for what one host sends. */
  readonly IP_DROP_SOURCE_MEMBERSHIP: SourceMembership;
  /** Whether an address that does not exist yet may be bound to. */
  readonly IP_FREEBIND: boolean;
  /** The lowest and the highest port that the system may choose. */
  readonly IP_LOCAL_PORT_RANGE: readonly [low: number, high: number];
  /** The largest packet that the path takes, in bytes. It cannot be set. */
  readonly IP_MTU: number;
  /** How the path's largest packet is found out: 0 to 5, as ip(7) says. */
  readonly IP_MTU_DISCOVER: number;
  /** The interface through which multicast is sent: one of its addresses. */
  readonly IP_MULTICAST_IF: IpAddress | string;
  /** Whether this host receives its own multicast. */
  readonly IP_MULTICAST_LOOP: boolean;
  /** How many hops multicast may make. Deno and Bun refuse 0. */
  readonly IP_MULTICAST_TTL: number;
  /** The type of service. */
  readonly IP_TOS: number;
  /** How many hops packets may make. */
  readonly IP_TTL: number;
  /** Joins a group. It cannot be asked for, and each group is left when the socket closes. */
  readonly IPV6_JOIN_GROUP: GroupMembership;
  /** Leaves a group. */
  readonly IPV6_LEAVE_GROUP: GroupMembership;
  /** How many hops multicast may make. */
  readonly IPV6_MULTICAST_HOPS: number;
  /** The interface through which multicast is sent: its name. */
  readonly IPV6_MULTICAST_IF: string;
  /** Whether this host receives its own multicast. */
  readonly IPV6_MULTICAST_LOOP: boolean;
  /** The traffic class. */
  readonly IPV6_TCLASS: number;
  /** How many hops packets may make. */
  readonly IPV6_UNICAST_HOPS: number;
  /** Whether IPv4 is kept out. It can only be set before binding: in `socketOptions`. */
  readonly IPV6_V6ONLY: boolean;
}

/** The name of a socket option. */
export type SocketOptionName = keyof SocketOptionTypes;

/** What a socket option may hold. */
export type SocketOptionValue = SocketOptionTypes[SocketOptionName];

/** Socket options under the system's names. They are set in the order in which they stand here; `undefined` means absent. */
export type SocketOptions = { readonly [N in SocketOptionName]?: SocketOptionTypes[N] | undefined };

/** An option to set, checked. */
export type SocketOptionEntry = readonly [name: SocketOptionName, value: SocketOptionValue];

/** Checks a value, and gives it with texts made addresses; throws what names the value and the rule. */
type Check = (name: string, value: unknown) => SocketOptionValue;

const largest = 2 ** 31 - 1;
const seconds = finite(0, largest);

const checks: Readonly<Record<SocketOptionName, Check>> = {
  SO_BROADCAST: flag,
  SO_DEBUG: flag,
  SO_DONTROUTE: flag,
  SO_KEEPALIVE: flag,
  SO_LINGER: (name, value) => value === null ? null : whole(0, 65_535)(name, value),
  SO_OOBINLINE: flag,
  SO_RCVBUF: whole(1, largest),
  SO_RCVLOWAT: whole(1, largest),
  SO_RCVTIMEO: seconds,
  SO_REUSEADDR: flag,
  SO_REUSEPORT: flag,
  SO_SNDBUF: whole(1, largest),
  SO_SNDLOWAT: whole(1, largest),
  SO_SNDTIMEO: seconds,
  TCP_CONGESTION: text,
  TCP_CORK: flag,
  TCP_DEFER_ACCEPT: whole(0, largest),
  TCP_FASTOPEN: whole(0, largest),
  TCP_KEEPCNT: whole(1, 127),
  TCP_KEEPIDLE: whole(1, 32_767),
  TCP_KEEPINTVL: whole(1, 32_767),
  TCP_LINGER2: whole(-1, largest),
  TCP_MAXSEG: whole(1, 65_535),
  TCP_NODELAY: flag,
  TCP_QUICKACK: flag,
  TCP_SYNCNT: whole(1, 255),
  TCP_USER_TIMEOUT: whole(0, largest),
  TCP_WINDOW_CLAMP: whole(0, largest),
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

/** Every option that there is. */
export const socketOptionNames: readonly SocketOptionName[] = Object.freeze(Object.keys(checks) as SocketOptionName[]);

/** Checks the name of an option. One that is not in the table is `invalid_option`. */
export function checkOptionName(operation: "setOption" | "getOption", name: unknown): SocketOptionName {
  if (typeof name === "string" && Object.hasOwn(checks, name)) return name as SocketOptionName;
  throw new NetError("invalid_option", { operation, address: typeof name === "string" ? name : describe(name) });
}

/** Checks a value for an option, and gives it as backends expect it: frozen, and with texts made addresses. */
export function checkOptionValue(name: SocketOptionName, value: unknown): SocketOptionValue {
  return checks[name](name, value);
}

function flag(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new TypeError(`Cannot set ${name} as it must be a boolean: current value is ${describe(value)}`);
}

function whole(least: number, most: number): Check {
  const check = finite(least, most);
  return (name, value) => {
    if (Number.isInteger(check(name, value))) return value as number;
    throw new RangeError(`Cannot set ${name} as it must be a whole number: current value is ${value}`);
  };
}

function finite(least: number, most: number): Check {
  return (name, value) => {
    if (typeof value !== "number") {
      throw new TypeError(`Cannot set ${name} as it must be a number: current value is ${describe(value)}`);
    }
    if (value >= least && value <= most) return value;
    throw new RangeError(`Cannot set ${name} as it must be from ${least} to ${most}: current value is ${value}`);
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
