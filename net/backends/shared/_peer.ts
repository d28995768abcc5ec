// Copyright 2026 the Sluice authors. MIT license.

import { networkInterfaces } from "node:os";
import { hasPlainZone, IpAddress, type StreamAddress, systemIp, tcp, unix } from "../../internal.ts";

export { systemIp };

/** The address of a Unix socket without a name. */
export const unnamed: StreamAddress = unix("");

/** The host that was read last: most often many connections come from the same one, a proxy or this host itself. To read it takes 800 bytes each time. */
let known: { readonly text: string; readonly ip: IpAddress } | undefined;

/** An address of a TCP connection as the runtimes tell it; an IPv4-mapped one as plain IPv4. */
export function tcpEnd(host: string, port: number): StreamAddress {
  if (known?.text !== host) known = { text: host, ip: systemIp(host).unmapped() };
  return tcp(known.ip, port);
}

/** Whether a listener at `address` has connections with other local addresses. */
export function isAny(address: StreamAddress): boolean {
  return address.transport === "tcp" && (address.ip.equals(IpAddress.any4) || address.ip.equals(IpAddress.any6));
}

/** What every closed socket has to say at last, which nobody hears as a rule: one for all, so that closing makes no stack trace. */
export const closedBySystem: Error = Object.freeze(
  Object.assign(new Error("The socket was closed by the system"), { code: "ECONNRESET" }),
);

/**
 * An IP address as the runtimes take it for a host. An interface whose name they would refuse, or
 * look up as the name of a host, stands there by its number.
 */
export function hostText(ip: IpAddress): string {
  if (hasPlainZone(ip)) return ip.text;
  const zone = ip.zone as string;
  return `${IpAddress.fromBytes(ip.bytes)}%${scopeOf(zone) ?? zone}`;
}

/** The number of an interface. Deno tells it only to those who may ask. */
function scopeOf(name: string): number | undefined {
  try {
    const own = networkInterfaces()[name]?.find(({ scopeid }) => scopeid !== undefined && scopeid !== 0);
    return own?.scopeid;
  } catch {
    return undefined;
  }
}
