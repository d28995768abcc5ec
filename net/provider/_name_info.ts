// Copyright 2026 the Sluice authors. MIT license.

/** What {@linkcode Net.getNameInfo} does, over the resolver of a provider. */
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

/** Looks up the names of an address and of its port. An address without a name is its own, as getnameinfo(3) has it without `NI_NAMEREQD`. */
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
    // Whoever owns an address says what its name is: it must be a name, and not the literal of some other address.
    return names.find((name) => domainNameProblem(name) === undefined);
  } catch (error) {
    if (isInstance(error, NetError) && (error.lookupCode === "NONAME" || error.lookupCode === "NODATA")) {
      return undefined;
    }
    throw error;
  }
}
