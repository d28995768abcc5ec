// Copyright 2026 the Sluice authors. MIT license.

/** What `net/confine/` uses to judge addresses by their bytes. Not public. */
export { carriedAddresses } from "./_carried_addresses.ts";
export { whyNotPublic, whyNotPublicName } from "./_public_address.ts";
