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
import type { Permit } from "../shared/internal.ts";
import { hostText } from "../shared/internal.ts";
import { askServers } from "./_client.ts";

/** The part of a provider that knows names. */
export type NameProvider = Pick<NetProvider, "lookup" | "lookupName" | "lookupServices">;

/** Makes a better error of a runtime's own, for a question about `name`. */
export type Explain = (error: unknown, name: string) => unknown;

/** Any port will do: the service is not what is asked for. */
const somePort = 9;

const domainPort = 53;

/**
 * The system's own names, by getaddrinfo and getnameinfo: the hosts file and what else the system is configured for. These calls cannot be stopped: what they
 * find too late is dropped. Services are asked for at the system's name servers, for getaddrinfo knows none.
 *
 * @param permit Asked before a question to a name server.
 * @param explain Says more of a runtime's error than that does itself, given the name that was asked for.
 */
export function systemNames(permit: Permit, explain: Explain = (error) => error): NameProvider {
  const ask = <T>(what: string, answer: Promise<T>): Attempt<T> =>
    unstoppable(answer.catch((error) => {
      throw explain(error, what);
    }));
  return {
    lookup: (name) => ask(name, lookup(name, { all: true, verbatim: true }).then((found) => found.map(toIp))),
    lookupName: (ip) => ask(ip.text, lookupService(hostText(ip), somePort).then(({ hostname }) => [hostname])),
    lookupServices: (name) => askServers(systemServers(), name, "SRV", permit),
  };
}

/**
 * Names as some name servers tell them, and nobody else: no hosts file and no search list. Only `localhost` is not asked for (RFC 6761).
 *
 * @param servers Asked in this order.
 * @throws {TypeError} When a server is no UDP address, or has a zone.
 * @throws {RangeError} When there is no server, or a port is 0.
 */
export function serverNames(servers: readonly UdpAddress[], permit: Permit): NameProvider {
  const checked = checkServers(servers);
  return {
    lookup: (name, found) => {
      if (/^(?:.+\.)?localhost\.?$/i.test(name)) return unstoppable(Promise.resolve(loopback));
      return bothFamilies((type) => askServers(checked, name, type, permit), found);
    },
    lookupName: (ip) => askServers(checked, reverseName(ip), "PTR", permit),
    lookupServices: (name) => askServers(checked, name, "SRV", permit),
  };
}

const loopback = [IpAddress.loopback6, IpAddress.loopback4];

function unstoppable<T>(result: Promise<T>): Attempt<T> {
  return { result, cancel: () => {} };
}

function toIp({ address }: { address: string }): IpAddress {
  return systemIp(address);
}

/** Checks the name servers that a caller passed in, and copies them. */
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

/** The servers that the system is configured for, `8.8.8.8`, `[::1]:5353`: the port is there when it is not that of DNS. */
function systemServers(): UdpAddress[] {
  return [...new Set(getServers())].map((text) => {
    const [, bracketed, plain, port = String(domainPort)] = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? [];
    return udp(systemIp(bracketed ?? plain ?? text), Number(port));
  });
}

/** The name under which an address has its own names: RFC 1035, section 3.5, and RFC 3596, section 2.5. */
function reverseName(ip: IpAddress): string {
  const bytes = [...ip.bytes];
  if (ip.version === 4) return `${bytes.reverse().join(".")}.in-addr.arpa`;
  return `${
    bytes.flatMap((byte) => [byte >> 4, byte & 15]).reverse().map((digit) => digit.toString(16)).join(".")
  }.ip6.arpa`;
}

/** Asks for both families at once, and tells of each as it comes. */
function bothFamilies(
  ask: (type: "AAAA" | "A") => Attempt<readonly IpAddress[]>,
  found: (ips: readonly IpAddress[]) => void,
): Attempt<readonly IpAddress[]> {
  const attempts = [ask("AAAA"), ask("A")];
  const answers = Promise.allSettled(attempts.map(async ({ result }) => {
    const ips = await result;
    found(ips);
    return ips;
  }));
  const result = answers.then((settled) => {
    const ips = settled.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
    if (ips.length > 0) return ips;
    throw worst(settled.map((answer) => answer.status === "rejected" ? answer.reason as unknown : undefined));
  });
  return { result, cancel: () => attempts.forEach((attempt) => attempt.cancel()) };
}

/** The failure that is true of a name: it is known to have no address only when both answers say so. */
function worst(failures: readonly unknown[]): unknown {
  const withCode = (test: (code: string) => boolean) => failures.find((failure) => test(lookupCodeOf(failure)));
  return withCode((code) => code !== "NODATA" && code !== "NONAME") ?? withCode((code) => code === "NODATA") ??
    failures[0];
}
