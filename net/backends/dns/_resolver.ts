// Copyright 2026 the Sluice authors. MIT license.

import { getServers } from "node:dns";
import { lookup, lookupService } from "node:dns/promises";
import { describe, isIterable } from "../../../base/internal.ts";
import {
  checkDatagramAddress,
  describeAddress,
  IpAddress,
  lookupCodeOf,
  systemIp,
  udp,
  type UdpAddress,
} from "../../internal.ts";
import type { Attempt } from "../../internal.ts";
import type { NetProvider } from "../../provider/internal.ts";
import { hostText, type PermissionCheck } from "../shared/internal.ts";
import { queryServers } from "./_client.ts";

/** The name resolution of a provider. */
export type NameProvider = Pick<NetProvider, "lookup" | "lookupName" | "lookupServices">;

/** Returns a more precise error than the runtime's own, for a lookup of `name`. */
export type Explain = (error: unknown, name: string) => unknown;

/** getnameinfo takes a port, but the service name is not used. */
const discardPort = 9;

const dnsPort = 53;

/**
 * Returns the system's resolver, through getaddrinfo and getnameinfo: the hosts file and whatever
 * else is configured. These calls cannot be cancelled; late results are discarded. SRV records are
 * queried from the system's name servers, as getaddrinfo cannot look them up.
 *
 * @param permit Called before a query to a name server.
 * @param explain Returns a more precise error than the runtime's, given the name.
 */
export function systemNames(permit: PermissionCheck, explain: Explain = (error) => error): NameProvider {
  const explained = <T>(name: string, answer: Promise<T>): Attempt<T> =>
    uncancellable(answer.catch((error) => {
      throw explain(error, name);
    }));
  return {
    lookup: (name) => explained(name, lookup(name, { all: true, verbatim: true }).then((found) => found.map(toIp))),
    lookupName: (ip) => explained(ip.text, lookupService(hostText(ip), discardPort).then(({ hostname }) => [hostname])),
    lookupServices: (name) => queryServers(systemServers(), name, "SRV", permit),
  };
}

/**
 * Returns a resolver that queries only the given servers: no hosts file, no search list.
 * `localhost` is not queried but resolved to loopback (RFC 6761).
 *
 * @param servers Queried in this order.
 * @throws {TypeError} If a server is not a UDP address, or has a zone.
 * @throws {RangeError} If there is no server, or a port is 0.
 */
export function serverNames(servers: readonly UdpAddress[], permit: PermissionCheck): NameProvider {
  const checked = checkServers(servers);
  return {
    lookup: (name, found) => {
      if (/^(?:.+\.)?localhost\.?$/i.test(name)) return uncancellable(Promise.resolve(loopback));
      return bothFamilies((type) => queryServers(checked, name, type, permit), found);
    },
    lookupName: (ip) => queryServers(checked, reverseName(ip), "PTR", permit),
    lookupServices: (name) => queryServers(checked, name, "SRV", permit),
  };
}

const loopback = [IpAddress.loopback6, IpAddress.loopback4];

function uncancellable<T>(result: Promise<T>): Attempt<T> {
  return { result, cancel: () => {} };
}

function toIp({ address }: { address: string }): IpAddress {
  return systemIp(address);
}

/** Validates the caller's name servers and returns a copy. */
function checkServers(servers: readonly UdpAddress[]): readonly UdpAddress[] {
  if (!isIterable(servers)) {
    throw new TypeError(`Cannot use nameServers as they must be a list: current value is ${describe(servers)}`);
  }
  const checked = [...servers].map((server) => {
    const address = checkDatagramAddress(server);
    const refuse = (rule: string) => `Cannot use ${describeAddress(address)} as a name server: ${rule}`;
    if (address.transport !== "udp") throw new TypeError(refuse("it must be a UDP address"));
    if (address.ip.zone !== undefined) throw new TypeError(refuse("it must have no zone"));
    if (address.port === 0) throw new RangeError(refuse("its port must not be 0"));
    return address;
  });
  if (checked.length === 0) throw new RangeError("Cannot use nameServers as the list must not be empty");
  return checked;
}

/**
 * Returns the system's name servers. The runtime reports them as `8.8.8.8` or `[::1]:5353`, with a
 * port only if it is not 53.
 */
function systemServers(): UdpAddress[] {
  return [...new Set(getServers())].map((text) => {
    const [, bracketed, plain, port = String(dnsPort)] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
    return udp(systemIp(bracketed ?? plain ?? text), Number(port));
  });
}

/** Returns the reverse lookup name of an address (RFC 1035, section 3.5; RFC 3596, section 2.5). */
function reverseName(ip: IpAddress): string {
  const bytes = [...ip.bytes];
  if (ip.version === 4) return `${bytes.reverse().join(".")}.in-addr.arpa`;
  return `${
    bytes.flatMap((byte) => [byte >> 4, byte & 15]).reverse().map((digit) => digit.toString(16)).join(".")
  }.ip6.arpa`;
}

/** Queries both address families at once, and calls `found` with each answer as it arrives. */
function bothFamilies(
  query: (type: "AAAA" | "A") => Attempt<readonly IpAddress[]>,
  found: (ips: readonly IpAddress[]) => void,
): Attempt<readonly IpAddress[]> {
  const attempts = [query("AAAA"), query("A")];
  const answers = Promise.allSettled(attempts.map(async ({ result }) => {
    const ips = await result;
    found(ips);
    return ips;
  }));
  const result = answers.then((settled) => {
    const ips = settled.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
    if (ips.length > 0) return ips;
    throw combined(settled.map((answer) => answer.status === "rejected" ? answer.reason as unknown : undefined));
  });
  return { result, cancel: () => attempts.forEach((attempt) => attempt.cancel()) };
}

/** Returns the combined failure: a name has no address only if both answers say so. */
function combined(failures: readonly unknown[]): unknown {
  const withCode = (test: (code: string) => boolean) => failures.find((failure) => test(lookupCodeOf(failure)));
  return withCode((code) => code !== "NODATA" && code !== "NONAME") ?? withCode((code) => code === "NODATA") ??
    failures[0];
}
