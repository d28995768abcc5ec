// Copyright 2026 the Sluice authors. MIT license.

import { networkInterfaces } from "node:os";
import { hasPlainZone, IpAddress, type StreamAddress, systemIp, tcp, unix } from "../../internal.ts";

export { systemIp };

/** The address of an unnamed Unix socket. */
export const unnamed: StreamAddress = unix("");

/**
 * The last host parsed, cached, as parsing takes 800 bytes: many connections share a proxy's host.
 */
let cached: { readonly text: string; readonly ip: IpAddress } | undefined;

/**
 * Returns the address of one end of a TCP connection as a socket reports it, with an IPv4-mapped
 * IPv6 address unwrapped. Returns `undefined` if the host or the port is missing, as on Bun after
 * the peer has reset the connection.
 */
export function tcpEnd(host: string | undefined, port: number | undefined): StreamAddress | undefined {
  if (host === undefined || port === undefined) return undefined;
  if (cached?.text !== host) cached = { text: host, ip: systemIp(host).unmapped() };
  return tcp(cached.ip, port);
}

/** Reports whether `address` is a wildcard, so that connections have other local addresses. */
export function isAny(address: StreamAddress): boolean {
  return address.transport === "tcp" && (address.ip.equals(IpAddress.any4) || address.ip.equals(IpAddress.any6));
}

/**
 * The error of every socket that the system has closed. All share one, which is rarely seen, so
 * that closing captures no stack trace.
 */
export const closedBySystem: Error = Object.freeze(
  Object.assign(new Error("The socket was closed by the system"), { code: "ECONNRESET" }),
);

/**
 * Returns an IP address as a host that the runtimes accept. A zone whose name they would refuse, or
 * look up as a host name, is replaced by its interface index.
 */
export function hostText(ip: IpAddress): string {
  if (hasPlainZone(ip)) return ip.text;
  const zone = ip.zone as string;
  return `${IpAddress.fromBytes(ip.bytes)}%${interfaceIndex(zone) ?? zone}`;
}

/** Returns the index of a network interface. Deno reports it only with permission. */
function interfaceIndex(name: string): number | undefined {
  try {
    return networkInterfaces()[name]?.find(({ scopeid }) => scopeid !== undefined && scopeid !== 0)?.scopeid;
  } catch {
    return undefined;
  }
}
