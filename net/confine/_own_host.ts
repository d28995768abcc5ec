// Copyright 2026 the Sluice authors. MIT license.

import type { Clock } from "../../switch/internal.ts";
import { IpAddress } from "../internal.ts";
import type { OwnAddresses } from "../provider/internal.ts";

/** How long the addresses of the interfaces are kept, in milliseconds. */
const maxAge = 5000;

const none: ReadonlyMap<string, IpAddress> = new Map();

/** The addresses of the host of a network. */
export class OwnHost {
  readonly #read: OwnAddresses | undefined;
  readonly #clock: Clock;
  #readAt = -Infinity;
  #addresses: ReadonlyMap<string, IpAddress> | undefined;

  /** @param read Returns the addresses. Without it, the host has none. */
  constructor(read: OwnAddresses | undefined, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /**
   * Reports whether an address is one of the host's; `undefined` if the runtime does not report
   * them.
   */
  has(ip: IpAddress): boolean | undefined {
    return this.#known()?.has(bytesText(ip));
  }

  /** Returns the addresses of the host; `undefined` if the runtime does not tell. */
  addresses(): readonly IpAddress[] | undefined {
    const known = this.#known();
    return known && [...known.values()];
  }

  #known(): ReadonlyMap<string, IpAddress> | undefined {
    const read = this.#read;
    if (read === undefined) return none;
    const now = this.#clock.now();
    if (now - this.#readAt >= maxAge) {
      this.#readAt = now;
      const ips = read();
      this.#addresses = ips && new Map(ips.map((ip) => [bytesText(ip), ip]));
    }
    return this.#addresses;
  }
}

/** Returns the text of an address without IPv4 mapping and zone: equal for equal bytes. */
export function bytesText(ip: IpAddress): string {
  const plain = ip.unmapped();
  return plain.zone === undefined ? plain.text : IpAddress.fromBytes(plain.bytes).text;
}
