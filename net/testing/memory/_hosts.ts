// Copyright 2026 the Sluice authors. MIT license.

import { checkNumber, checkOptions, describe } from "../../../base/internal.ts";
import { hostAddress, IpAddress, type ServiceRecord } from "../../mod.ts";
import { systemError } from "./_system_error.ts";
import type { MemoryNetOptions } from "./memory_net_options.ts";

/** The addresses of `localhost` and its subdomains (RFC 6761). */
const loopback: readonly IpAddress[] = [IpAddress.loopback6, IpAddress.loopback4];

/** The names of a memory network, and the addresses of its host. */
export class Hosts {
  readonly #addresses: Map<string, readonly IpAddress[]> = new Map([["localhost", loopback]]);
  readonly #services: Map<string, readonly ServiceRecord[]> = new Map();
  readonly #own: Set<string>;

  constructor({ hosts, services }: Pick<MemoryNetOptions, "hosts" | "services">) {
    checkOptions("make a memory network with hosts", hosts);
    checkOptions("make a memory network with services", services);
    for (const [name, ips] of Object.entries(hosts ?? {})) {
      const key = keyOf(name);
      checkList("hosts", key, ips);
      this.#addresses.set(key, [...ips].map(toIp));
    }
    for (const [name, records] of Object.entries(services ?? {})) {
      const key = keyOf(name);
      checkList("services", key, records);
      this.#services.set(key, [...records].map(checkRecord));
    }
    this.#own = new Set([...loopback, ...[...this.#addresses.values()].flat()].map((ip) => `${bare(ip)}`));
  }

  /** Reports whether an address is one of the host's own. */
  has(ip: IpAddress): boolean {
    return isLoopback4(ip) || this.#own.has(`${ip}`);
  }

  lookup(name: string): readonly IpAddress[] {
    const key = keyOf(name);
    return found(this.#addresses.get(key) ?? (key.endsWith(".localhost") ? loopback : undefined), name);
  }

  lookupName(ip: IpAddress): readonly string[] {
    const names = [...this.#addresses].filter(([, ips]) => ips.some((own) => bare(own).equals(bare(ip))));
    return found(names.length > 0 ? names.map(([name]) => name) : undefined, ip.toString());
  }

  lookupServices(name: string): readonly ServiceRecord[] {
    return found(this.#services.get(keyOf(name)), name);
  }
}

/**
 * Returns an address without IPv4 mapping and zone, as the host stores it: there is only one link.
 */
export function bare(ip: IpAddress): IpAddress {
  const plain = ip.unmapped();
  return plain.zone === undefined ? plain : IpAddress.fromBytes(plain.bytes);
}

/** Reports whether an address is in 127.0.0.0/8. */
export function isLoopback4(ip: IpAddress): boolean {
  return ip.version === 4 && ip.bytes[0] === 127;
}

function found<T>(answer: T | undefined, name: string): T {
  if (answer !== undefined) return answer;
  throw Object.assign(systemError("ENOTFOUND", "getaddrinfo"), { hostname: name });
}

/** Returns the key of a name: names are compared without case and final dot. */
export function keyOf(name: string): string {
  return hostAddress(name, 0).name.toLowerCase().replace(/\.$/, "");
}

function checkRecord(record: ServiceRecord): ServiceRecord {
  if (typeof record !== "object" || record === null) {
    throw new TypeError(
      `Cannot make a memory network as a service must be an object: current value is ${describe(record)}`,
    );
  }
  const { name, port, priority, weight } = record;
  hostAddress(name, port);
  checkNumber("make a memory network", "priority", priority, 0, 65_535);
  checkNumber("make a memory network", "weight", weight, 0, 65_535);
  return Object.freeze({ name, port, priority, weight });
}

function toIp(ip: unknown): IpAddress {
  if (typeof ip === "string") return IpAddress.parse(ip);
  if (IpAddress.isIpAddress(ip)) return ip;
  throw new TypeError(
    `Cannot make a memory network as an address in hosts must be a string or an IpAddress: current value is a ${typeof ip}`,
  );
}

function checkList(option: string, name: string, value: unknown): void {
  if (Array.isArray(value)) return;
  throw new TypeError(
    `Cannot make a memory network as ${option} must have an array for ${name}: current value is a ${typeof value}`,
  );
}
