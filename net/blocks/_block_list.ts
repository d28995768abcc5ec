// Copyright 2026 the Sluice authors. MIT license.

/** Matching of addresses against blocks (CIDR): the only file of this room that names `node:`. */
import { BlockList } from "node:net";
import { IpAddress } from "../internal.ts";

/**
 * A set of blocks of addresses. An IPv4-mapped address counts as its IPv4 address, in a block and
 * in a test; zones are ignored.
 *
 * The two versions are separate lists: in a common one, Node and Bun take an IPv4 address for its
 * IPv4-mapped form, and Deno does not.
 */
export class AddressBlocks {
  readonly #v4: BlockList = new BlockList();
  readonly #v6: BlockList = new BlockList();

  /** Adds a block: the addresses whose first `prefix` bits are those of `ip`. */
  add(ip: IpAddress, prefix: number): void {
    const plain = ip.unmapped();
    if (plain.version === 4) this.#v4.addSubnet(plain.text, ip.version === 4 ? prefix : prefix - 96, "ipv4");
    else this.#v6.addSubnet(withoutZone(plain), prefix, "ipv6");
  }

  /** Reports whether an address is in one of the blocks. */
  has(ip: IpAddress): boolean {
    const plain = ip.unmapped();
    return plain.version === 4 ? this.#v4.check(plain.text, "ipv4") : this.#v6.check(withoutZone(plain), "ipv6");
  }
}

function withoutZone(ip: IpAddress): string {
  return ip.zone === undefined ? ip.text : IpAddress.fromBytes(ip.bytes).text;
}
