// Copyright 2026 the Sluice authors. MIT license.

import type { NetProvider } from "../../provider/internal.ts";
import type { NameProvider } from "../dns/internal.ts";
import { bunQuirks, nodeProvider } from "../node/internal.ts";
import { type BunApi, listenBun } from "./_listener.ts";

/**
 * Returns the system's network on Bun. It listens with `Bun.listen`, whose connections cost less
 * than those of `node:net`; everything else is shared with the other runtimes.
 *
 * @param names The resolver to use.
 */
export function bunProvider(bun: BunApi, names: NameProvider): NetProvider {
  const listen: NetProvider["listen"] = (address, options) => listenBun(bun, address, options);
  return { ...nodeProvider(() => {}, names, bunQuirks), listen };
}
