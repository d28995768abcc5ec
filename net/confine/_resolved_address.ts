// Copyright 2026 the Sluice authors. MIT license.

import { type HostAddress, IpAddress } from "../internal.ts";

/**
 * The names whose addresses are being dialled. A confined network looks a name up itself and dials
 * what it has judged; if the network inside is confined too, that one must judge the name and not
 * refuse a raw address. The mark is an address of its own, which passes through other wrappers, and
 * lasts only as long as the dialling, so that no code can keep it.
 */
const hosts: WeakMap<IpAddress, HostAddress> = new WeakMap();

/** Calls `dial` with a copy of an address that is marked as one of `host` until `dial` settles. */
export async function asAddressOf<T>(
  host: HostAddress,
  ip: IpAddress,
  dial: (ip: IpAddress) => Promise<T>,
): Promise<T> {
  const marked = new IpAddress(ip.bytes, ip.zone);
  hosts.set(marked, host);
  try {
    return await dial(marked);
  } finally {
    hosts.delete(marked);
  }
}

/** Returns the name and port that an address is being dialled for. */
export function hostOf(ip: IpAddress): HostAddress | undefined {
  return hosts.get(ip);
}
