// Copyright 2026 the Sluice authors. MIT license.

import { describe } from "../../base/internal.ts";
import {
  checkOptionName,
  checkOptionValue,
  type IpAddress,
  type SocketOptionEntry,
  type SocketOptions,
  type SourceMembership,
  udp,
} from "../internal.ts";
import type { Judge, Verdict } from "./_judge.ts";

/** Copies and judges the options of a socket that is opened with a local port. */
export function judgedOptions(
  judge: Judge,
  options: SocketOptions | undefined,
  port: number,
): SocketOptions | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot use socketOptions as they must be an object: current value is ${describe(options)}`);
  }
  const entries: SocketOptionEntry[] = [];
  for (const [key, value] of Object.entries(options)) {
    const name = checkOptionName("setOption", key);
    if (value !== undefined) entries.push([name, checkOptionValue(name, value)]);
  }
  for (const entry of entries) judgeOption(judge, entry, port);
  return Object.freeze(Object.fromEntries(entries));
}

/**
 * Returns the options that apply to one version of IP, as a connection to a host name uses them.
 */
export function optionsFor(version: 4 | 6, options: SocketOptions | undefined): SocketOptions | undefined {
  const other = version === 4 ? "IPV6_" : "IP_";
  return options && Object.fromEntries(Object.entries(options).filter(([name]) => !name.startsWith(other)));
}

/** Throws if an option chooses an interface, a port or a group that is not granted. */
export function judgeOption(judge: Judge, entry: SocketOptionEntry, port: number): void {
  const verdict = verdictOn(judge, entry, port);
  if (verdict !== undefined) throw judge.refuse("setOption", entry[0], verdict);
}

function verdictOn(judge: Judge, [name, value]: SocketOptionEntry, port: number): Verdict | undefined {
  switch (name) {
    case "IP_ADD_MEMBERSHIP":
    case "IP_ADD_SOURCE_MEMBERSHIP":
    case "IPV6_JOIN_GROUP": {
      const { group, interface: through } = value as SourceMembership;
      return judge.group(group as IpAddress, port) ??
        (through === undefined ? undefined : interfaceVerdict(judge, through, port));
    }
    case "IP_MULTICAST_IF":
    case "IPV6_MULTICAST_IF":
      return interfaceVerdict(judge, value as IpAddress | string, port);
    case "IP_FREEBIND":
    case "IP_LOCAL_PORT_RANGE":
    case "SO_DONTROUTE":
      return judge.anyLocal();
    default:
      return undefined;
  }
}

/** Judges an interface: of IPv4 by its address; of IPv6 it has only a name, which no rule has. */
function interfaceVerdict(judge: Judge, through: IpAddress | string, port: number): Verdict | undefined {
  return typeof through === "string" ? judge.anyLocal() : judge.local("bind", udp(through, port));
}
