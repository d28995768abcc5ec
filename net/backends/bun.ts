// Copyright 2026 the Sluice authors. MIT license.

import type { NetProvider } from "../provider.ts";
import { type BunApi, listenBun } from "./bun_listener.ts";
import { nodeProvider } from "./node.ts";
import type { NameProvider } from "./node_dns.ts";
import { bunGaps } from "./node_gaps.ts";

/**
 * The system's network on Bun: listening by `Bun.listen`, under which a connection costs less than under `node:net`, and all else by what the runtimes share.
 *
 * @param names Whom it asks for names.
 */
export function bunProvider(bun: BunApi, names: NameProvider): NetProvider {
  const listen: NetProvider["listen"] = (address, options) => listenBun(bun, address, options);
  return { ...nodeProvider(() => {}, names, bunGaps), listen };
}
