// Copyright 2026 the Sluice authors. MIT license.

import type { IpAddress, Net } from "../internal.ts";

/**
 * Returns the addresses of a host's interfaces; `undefined` if the runtime does not report them.
 */
export type OwnAddresses = () => readonly IpAddress[] | undefined;

/**
 * The own addresses of networks. They are not a member of `Net`, as code that holds a confined
 * network must not learn them.
 */
const known: WeakMap<Net, OwnAddresses> = new WeakMap();

/** Records the own addresses of a network, if it has any. */
export function setOwnAddresses(net: Net, own: OwnAddresses | undefined): void {
  if (own !== undefined) known.set(net, own);
}

/** Returns the own addresses of a network. One that was not made by this library has none. */
export function ownAddressesOf(net: Net): OwnAddresses | undefined {
  return known.get(net);
}
