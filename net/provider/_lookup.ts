// Copyright 2026 the Sluice authors. MIT license.

/** What {@linkcode Net.getAddrInfo} does, over the resolver of a provider. */
import { checkOptions, describe, fieldOf, isInstance, quoteText } from "../../base/internal.ts";
import {
  addContext,
  type AddrInfoOptions,
  checkHostName,
  describeAddress,
  type HostAddress,
  type IpAddress,
  literalOf,
  NetError,
  tcp,
  type TcpAddress,
  udp,
  type UdpAddress,
} from "../internal.ts";
import { ask, type Query } from "./_query.ts";
import { servicePort } from "./_services.ts";
import type { NetProvider } from "./provider.ts";

/** Looks up the addresses of a name, in the resolver's order, with the port of a service. */
export async function lookUp(
  provider: NetProvider,
  name: string,
  options: AddrInfoOptions | undefined,
): Promise<(TcpAddress | UdpAddress)[]> {
  checkOptions("look up a name", options);
  const { service, type } = options ?? {};
  if (typeof name !== "string") throw new TypeError(`Cannot look up ${describe(name)}: must be a string`);
  const refuse = (rule: string, value: unknown): never => {
    throw new TypeError(`Cannot look up ${quoteText(name)} as ${rule}: current value is ${describe(value)}`);
  };
  if (service !== undefined && typeof service !== "string") refuse("service must be a string", service);
  if (type !== undefined && type !== "stream" && type !== "datagram") {
    refuse('type must be "stream" or "datagram"', type);
  }
  const query: Query = { operation: "lookup", address: name, service };
  const portOver = (transport: "tcp" | "udp") => service === undefined ? 0 : servicePort(service, transport);
  const tcpPort = type === "datagram" ? undefined : portOver("tcp");
  const udpPort = type === "stream" ? undefined : portOver("udp");
  if (tcpPort === undefined && udpPort === undefined) {
    throw new NetError("address_lookup_failed", { ...query, lookupCode: "SERVICE" });
  }
  const ips = await resolve(provider, query, () => {});
  return ips.flatMap((ip) => [
    ...(tcpPort === undefined ? [] : [tcp(ip, tcpPort)]),
    ...(udpPort === undefined ? [] : [udp(ip, udpPort)]),
  ]);
}

/** Finds the addresses of a host to connect to. `found` is called with those that come before the others. */
export async function findHost(
  provider: NetProvider,
  host: HostAddress,
  found: (addresses: readonly TcpAddress[]) => void,
): Promise<readonly TcpAddress[]> {
  const { name, port } = host;
  const withPort = (ips: readonly IpAddress[]) => ips.map((ip) => tcp(ip, port));
  const query: Query = { operation: "lookup", address: name, service: String(port) };
  try {
    return withPort(await resolve(provider, query, (ips) => found(withPort(ips))));
  } catch (error) {
    if (!isInstance(error, NetError)) throw error;
    const { code, lookupCode, remedy, cause } = error;
    throw new LookupFailure(() =>
      addContext(new NetError(code, { ...query, lookupCode, remedy, cause }), `connecting to ${describeAddress(host)}`)
    );
  }
}

/** A failed lookup in the midst of a race, whose error is made where it gets the frames of the caller. */
export class LookupFailure {
  readonly make: () => NetError;

  constructor(make: () => NetError) {
    this.make = make;
  }
}

/**
 * Finds the addresses of a name: a literal is its own, and what can be no name is nobody's, without asking.
 *
 * @param found Called with those that come before the others.
 * @returns All of them, at least one.
 */
async function resolve(
  provider: NetProvider,
  query: Query,
  found: (ips: readonly IpAddress[]) => void,
): Promise<readonly IpAddress[]> {
  const name = query.address;
  const literal = literalOf(name);
  if (literal !== undefined) return [literal];
  const noName = (cause?: unknown) =>
    new NetError("address_lookup_failed", { ...query, lookupCode: "NONAME", remedy: ruleOf(name, cause), cause });
  try {
    checkHostName(name);
  } catch (cause) {
    throw noName(cause);
  }
  const ips = await ask(query, () => provider.lookup(name, found));
  if (ips.length === 0) throw noName();
  return ips;
}

/** What {@linkcode checkHostName} says of a name, without the name. */
function ruleOf(name: string, problem: unknown): string | undefined {
  const message = fieldOf(problem, SyntaxError, "message");
  const start = message?.indexOf(`${quoteText(name)}: `) ?? -1;
  return start < 0 ? undefined : message?.slice(start + quoteText(name).length + 2);
}
