// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, checkShape, describe } from "../base/internal.ts";
import { checkIpEndpoint, type TcpAddress, type UdpAddress } from "./address.ts";
import { NetError } from "./errors.ts";
import type { AddrInfoOptions, Net } from "./net.ts";

/**
 * Calls {@linkcode Net.getAddrInfo} for stream sockets: returns only TCP addresses.
 *
 * Source: Eio's `Net.getaddrinfo_stream`.
 *
 * @param net The network.
 * @param name A host name, or an IP address literal, which is not looked up.
 * @param options The service.
 * @returns At least one address, in the resolver's order.
 * @throws {NetError} `address_lookup_failed`, with the resolver's own code in `lookupCode`:
 * `NONAME` if there is no address.
 * @throws {TypeError} If an argument is of the wrong kind.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example The addresses of a web server
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
  const { answers, service } = await lookUp(net, name, "stream", options);
  return nonEmpty(answers.filter((address) => address.transport === "tcp"), name, service);
}

/**
 * Calls {@linkcode Net.getAddrInfo} for datagram sockets: returns only UDP addresses.
 *
 * Source: Eio's `Net.getaddrinfo_datagram`.
 *
 * @param net The network.
 * @param name A host name, or an IP address literal, which is not looked up.
 * @param options The service.
 * @returns At least one address, in the resolver's order.
 * @throws {NetError} `address_lookup_failed`, with the resolver's own code in `lookupCode`:
 * `NONAME` if there is no address.
 * @throws {TypeError} If an argument is of the wrong kind.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example The addresses of a name server
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
  const { answers, service } = await lookUp(net, name, "datagram", options);
  return nonEmpty(answers.filter((address) => address.transport === "udp"), name, service);
}

/** Looks up a name in a network, whose answer is checked, as it may be a user's implementation. */
async function lookUp(
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

/** Returns the addresses; throws if a user's implementation returned none of the right kind. */
function nonEmpty<T>(addresses: T[], name: string, service: string | undefined): T[] {
  if (addresses.length > 0) return addresses;
  throw new NetError("address_lookup_failed", { operation: "lookup", address: name, service, lookupCode: "NONAME" });
}
