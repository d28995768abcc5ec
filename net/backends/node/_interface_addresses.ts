// Copyright 2026 the Sluice authors. MIT license.

import { networkInterfaces } from "node:os";
import { type IpAddress, systemIp } from "../../internal.ts";

/** Returns the addresses of this host's interfaces. */
export function interfaceAddresses(): readonly IpAddress[] {
  return Object.values(networkInterfaces()).flatMap((infos) => (infos ?? []).map(({ address }) => systemIp(address)));
}
