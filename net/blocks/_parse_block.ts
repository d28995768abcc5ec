// Copyright 2026 the Sluice authors. MIT license.

import { IpAddress } from "../internal.ts";
import { AddressBlocks } from "./_block_list.ts";

/** A block of addresses. */
export interface Block {
  readonly first: IpAddress;
  readonly addresses: AddressBlocks;
}

/** Throws an error that says what is wrong with a rule. */
type Fail = (reason: string) => never;

/**
 * Parses an address, or a block of addresses (CIDR) such as `10.0.0.0/8`.
 *
 * @param text The text.
 * @param fail Throws an error with a reason.
 * @returns The block.
 */
export function parseBlock(text: string, fail: Fail): Block {
  const [address, length, more] = text.split("/");
  let ip: IpAddress;
  try {
    ip = IpAddress.parse(address);
  } catch (error) {
    return fail(problemOf(error));
  }
  if (ip.zone !== undefined) fail("a rule has no zone");
  const bits = ip.version === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (more !== undefined || (length !== undefined && !/^(?:0|[1-9][0-9]{0,2})$/.test(length)) || prefix > bits) {
    fail(`the length of a prefix is a decimal number up to ${bits}, without leading zeros`);
  }
  const hasHostBits = ip.bytes.some((byte, i) => (byte & (0xff >> Math.min(8, Math.max(0, prefix - 8 * i)))) !== 0);
  if (hasHostBits) fail(`${ip} has bits after the first ${prefix}`);
  return blockOf(ip, prefix);
}

/** Returns the block of the addresses whose first `prefix` bits are those of `first`. */
export function blockOf(first: IpAddress, prefix: number): Block {
  const addresses = new AddressBlocks();
  addresses.add(first, prefix);
  return Object.freeze({ first, addresses });
}

/** Reports whether two blocks have an address in common: one of them is then within the other. */
export function overlap(one: Block, other: Block): boolean {
  return one.addresses.has(other.first) || other.addresses.has(one.first);
}

/** Returns what is wrong with a value, from the error of a check: `Cannot use "x": it is empty`. */
export function problemOf(error: unknown): string {
  return (error as Error).message.replace(/^Cannot [^"]*"(?:[^"\\]|\\.)*"(?:\.\.\.)?: /, "");
}
