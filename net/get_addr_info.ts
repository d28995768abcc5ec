// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, checkShape, describe } from "../base/internal.ts";
import { checkIpEndpoint, type TcpAddress, type UdpAddress } from "./address.ts";
import { NetError } from "./errors.ts";
import type { AddrInfoOptions, Net } from "./net.ts";

/**
 * {@linkcode Net.getAddrInfo} for stream sockets: only TCP addresses.
 *
 * Source: Eio's `Net.getaddrinfo_stream`.
 *
 * @param net The network.
 * @param name A host name, or the literal of an IP address, which is not looked up.
 * @param options The service.
 * @returns At least one address, in the resolver's order.
 * @throws {NetError} `address_lookup_failed`, with the resolver's own code in `lookupCode`: `NONAME` when there is no address.
 * @throws {TypeError} When an argument is of the wrong kind.
 * @throws {Cancelled} When the current scope is cancelled.
 *
 * @example Where a web server is
 * ```ts
 * import { formatAddress, getAddrInfoStream, run } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const addresses = await run(({ net }) => getAddrInfoStream(net, "127.0.0.1", { service: "http" }));
 * assertEquals(addresses.map(formatAddress), ["tcp:127.0.0.1:80"]);
 * ```
 */
export async function getAddrInfoStream(
  net: Net,
  name: string,
  options?: Pick<AddrInfoOptions, "service">,
): Promise<TcpAddress[]> {
  const { answers, service } = await ask(net, name, "stream", options);
  return some(answers.filter((address) => address.transport === "tcp"), name, service);
}

/**
 * {@linkcode Net.getAddrInfo} for datagram sockets: only UDP addresses.
 *
 * Source: Eio's `Net.getaddrinfo_datagram`.
 *
 * @param net The network.
 * @param name A host name, or the literal of an IP address, which is not looked up.
 * @param options The service.
 * @returns At least one address, in the resolver's order.
 * @throws {NetError} `address_lookup_failed`, with the resolver's own code in `lookupCode`: `NONAME` when there is no address.
 * @throws {TypeError} When an argument is of the wrong kind.
 * @throws {Cancelled} When the current scope is cancelled.
 *
 * @example Where a name server is
 * ```ts
 * import { formatAddress, getAddrInfoDatagram, run } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * const addresses = await run(({ net }) => getAddrInfoDatagram(net, "::1", { service: "domain" }));
 * assertEquals(addresses.map(formatAddress), ["udp:[::1]:53"]);
 * ```
 */
export async function getAddrInfoDatagram(
  net: Net,
  name: string,
  options?: Pick<AddrInfoOptions, "service">,
): Promise<UdpAddress[]> {
  const { answers, service } = await ask(net, name, "datagram", options);
  return some(answers.filter((address) => address.transport === "udp"), name, service);
}

/** Asks a network, which may be a foreign one. */
async function ask(
  net: Net,
  name: string,
  type: "stream" | "datagram",
  options: Pick<AddrInfoOptions, "service"> | undefined,
): Promise<{ answers: (TcpAddress | UdpAddress)[]; service: string | undefined }> {
  checkShape("look up a name", "net", "a Net", net, "getAddrInfo");
  checkOptions("look up a name", options);
  const { service } = options ?? {};
  const answers: unknown = await net.getAddrInfo(name, { service, type });
  if (Array.isArray(answers)) return { answers: [...answers].map(checkIpEndpoint), service };
  throw new TypeError(`Cannot look up a name as the answer must be an array: current value is ${describe(answers)}`);
}

/** A network that somebody else wrote may give other kinds too, or nothing. */
function some<T>(addresses: T[], name: string, service: string | undefined): T[] {
  if (addresses.length > 0) return addresses;
  throw new NetError("address_lookup_failed", { operation: "lookup", address: name, service, lookupCode: "NONAME" });
}
