// Copyright 2026 the Sluice authors. MIT license.

import { IpAddress } from "../../internal.ts";
import { AddressBlocks } from "../../blocks/internal.ts";
import { carriedAddresses, isIsatap } from "./_carried_addresses.ts";
import {
  globalUnicast6,
  localNames,
  nat64,
  type SpecialBlock,
  specialBlocks4,
  specialBlocks6,
} from "./_special_addresses.ts";

function blocksOf(...blocks: readonly string[]): AddressBlocks {
  const all = new AddressBlocks();
  for (const block of blocks) {
    const [ip, prefix] = block.split("/");
    all.add(IpAddress.parse(ip), Number(prefix));
  }
  return all;
}

/** Blocks, by what they are for. The first that has an address names its purpose. */
class Purposes {
  readonly #all: AddressBlocks;
  readonly #each: readonly (readonly [blocks: AddressBlocks, text: string])[];

  constructor(blocks: readonly SpecialBlock[]) {
    this.#all = blocksOf(...blocks.map(([block]) => block));
    this.#each = blocks.map(([block, purpose]) => [blocksOf(block), `${block}, ${purpose}`] as const);
  }

  of(ip: IpAddress): string | undefined {
    return this.#all.has(ip) ? this.#each.find(([blocks]) => blocks.has(ip))?.[1] : undefined;
  }
}

const purposes4 = new Purposes(specialBlocks4);
const purposes6 = new Purposes(specialBlocks6);
const translated = blocksOf(nat64);
const globalUnicast = blocksOf(globalUnicast6);

/**
 * Returns why an address is not public, or `undefined` if it is. An IPv4-mapped address, and one of
 * NAT64, is what its IPv4 address is.
 */
export function whyNotPublic(ip: IpAddress): string | undefined {
  const plain = ip.unmapped();
  if (plain.version === 4) return purposes4.of(plain);
  if (translated.has(plain)) return carriedAddresses(plain).map(whyNotPublic).find((why) => why !== undefined);
  const purpose = purposes6.of(plain);
  if (purpose !== undefined) return purpose;
  if (!globalUnicast.has(plain)) return `outside ${globalUnicast6}, the public unicast space`;
  return isIsatap(plain.bytes) ? "an ISATAP address (RFC 5214)" : undefined;
}

/**
 * Returns why a canonical host name is not public, or `undefined` if it is. A name of a single
 * label is not, as a resolver completes it from its search list.
 */
export function whyNotPublicName(name: string): string | undefined {
  if (!name.includes(".")) return "a name of a single label is local";
  const pattern = localNames.find((pattern) =>
    pattern.startsWith("*.") ? name === pattern.slice(2) || name.endsWith(pattern.slice(1)) : name === pattern
  );
  return pattern && `a name of ${pattern} is local`;
}
