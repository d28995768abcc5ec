// Copyright 2026 the Sluice authors. MIT license.

import { Waiter } from "../switch/scope.ts";
import { checkHostName, tcp, type TcpAddress, udp, type UdpAddress } from "./address.ts";
import { NetError, netErrorFrom } from "./errors.ts";
import { IpAddress } from "./ip_address.ts";
import type { Attempt, NetProvider } from "./provider.ts";
import type { AddrInfoOptions } from "./types.ts";

/** The services that are known by name, for now: the whole table comes with the rest of names. */
const services: Readonly<Record<string, number>> = { ftp: 21, ssh: 22, domain: 53, http: 80, https: 443 };

/** What {@linkcode Net.getAddrInfo} does, over the resolver of a provider. */
export async function lookUp(
  provider: NetProvider,
  name: string,
  options: AddrInfoOptions,
): Promise<(TcpAddress | UdpAddress)[]> {
  const { service, type } = options;
  if (typeof name !== "string") throw new TypeError(`Cannot look up ${String(name)}: must be a string`);
  if (service !== undefined && typeof service !== "string") {
    throw new TypeError(
      `Cannot look up ${JSON.stringify(name)} as service must be a string: current value is ${String(service)}`,
    );
  }
  if (type !== undefined && type !== "stream" && type !== "datagram") {
    throw new TypeError(
      `Cannot look up ${JSON.stringify(name)} as type must be "stream" or "datagram": current value is ${String(type)}`,
    );
  }
  const port = portOf(name, service);
  const ips = literal(name) ?? await resolve(provider, name, service);
  return ips.flatMap((ip) => {
    if (type === "stream") return [tcp(ip, port)];
    if (type === "datagram") return [udp(ip, port)];
    return [tcp(ip, port), udp(ip, port)];
  });
}

function portOf(name: string, service: string | undefined): number {
  if (service === undefined) return 0;
  const port = /^\d{1,5}$/.test(service) ? Number(service) : Object.hasOwn(services, service) ? services[service] : -1;
  if (port === undefined || port < 0 || port > 65535) {
    throw new NetError("address_lookup_failed", { operation: "lookup", address: name, service, lookupCode: "SERVICE" });
  }
  return port;
}

function literal(name: string): IpAddress[] | undefined {
  try {
    return [IpAddress.parse(name)];
  } catch {
    return undefined;
  }
}

/** Asks the resolver, unless the name cannot be one. */
async function resolve(
  provider: NetProvider,
  name: string,
  service: string | undefined,
): Promise<readonly IpAddress[]> {
  const query = { operation: "lookup", address: name, service };
  const noName = (cause?: unknown) => new NetError("address_lookup_failed", { ...query, lookupCode: "NONAME", cause });
  try {
    checkHostName(name);
  } catch (cause) {
    throw noName(cause);
  }
  let attempt: Attempt<readonly IpAddress[]>;
  try {
    attempt = provider.lookup(name);
  } catch (cause) {
    throw netErrorFrom(cause, query);
  }
  const waiter: Waiter<readonly IpAddress[]> = new Waiter("lookup", (_, reason) => {
    attempt.cancel();
    waiter.reject(reason);
  }, { label: name });
  attempt.result.then(
    (ips) => ips.length > 0 ? waiter.resolve(ips) : waiter.reject(noName()),
    (cause) => waiter.reject(netErrorFrom(cause, query)),
  );
  return await waiter.promise;
}
