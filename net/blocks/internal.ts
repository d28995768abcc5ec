// Copyright 2026 the Sluice authors. MIT license.

/** Blocks of addresses (CIDR), for `net/confine/` and `net/server/`. Not public. */
export { AddressBlocks } from "./_block_list.ts";
export { type Block, blockOf, overlap, parseBlock, problemOf } from "./_parse_block.ts";
