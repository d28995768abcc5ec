// Copyright 2026 the Sluice authors. MIT license.

import type { NetProvider } from "../../provider/internal.ts";
import type { NameProvider } from "../dns/internal.ts";
import { bunQuirks, nodeProvider } from "../node/internal.ts";
import { type BunApi, listenBun } from "./_listener.ts";

/**
 * The system's network on Bun: listening by `Bun.listen`, under which a connection costs less than under `node:net`, and all else by what the runtimes share.
 *
 * @param names Whom it asks for names.
 */
export function bunProvider(bun: BunApi, names: NameProvider): NetProvider {
  const listen: NetProvider["listen"] = (address, options) => listenBun(bun, address, options);
  return { ...nodeProvider(() => {}, names, bunQuirks), listen };
}
