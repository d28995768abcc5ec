// Copyright 2026 the Sluice authors. MIT license.

/** The one place that asks which runtime this is. */

import type { NetProvider } from "../provider.ts";
import { type DenoPermissions, denoPermit } from "./deno_permission.ts";
import { nodeProvider } from "./node.ts";

/** The backend for this runtime. */
export function systemProvider(): NetProvider {
  const { Deno } = globalThis as { Deno?: { permissions: DenoPermissions } };
  return nodeProvider(Deno === undefined ? () => {} : denoPermit(Deno.permissions));
}
