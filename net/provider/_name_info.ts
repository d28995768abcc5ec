// Copyright 2026 the Sluice authors. MIT license.

/** Implements {@linkcode Net.getNameInfo} with a provider's resolver. */
import { isInstance } from "../../base/internal.ts";
import {
  checkIpEndpoint,
  domainNameProblem,
  type IpAddress,
  NetError,
  type TcpAddress,
  type UdpAddress,
} from "../internal.ts";
import { query } from "./_query.ts";
import { serviceName } from "./_service_ports.ts";
import type { NetProvider } from "./provider.ts";

/**
 * Looks up the names of an address and of its port. If an address has no name, returns the address
 * as text, like getnameinfo(3) without `NI_NAMEREQD`.
 */
export async function nameInfo(
  provider: NetProvider,
  address: TcpAddress | UdpAddress,
): Promise<{ hostname: string; service: string }> {
  const { ip, port, transport } = checkIpEndpoint(address);
  const hostname = await hostnameOf(provider, ip) ?? String(ip);
  return { hostname, service: serviceName(port, transport) };
}

async function hostnameOf(provider: NetProvider, ip: IpAddress): Promise<string | undefined> {
  try {
    const names = await query({ operation: "lookup", address: String(ip) }, () => provider.lookupName(ip));
    // The owner of an address chooses its name: accept only a domain name, not another address.
    return names.find((name) => domainNameProblem(name) === undefined);
  } catch (error) {
    if (isInstance(error, NetError) && (error.lookupCode === "NONAME" || error.lookupCode === "NODATA")) {
      return undefined;
    }
    throw error;
  }
}
