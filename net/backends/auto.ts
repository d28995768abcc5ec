// Copyright 2026 the Sluice authors. MIT license.

/** The one place that asks which runtime this is. */

import type { UdpAddress } from "../address.ts";
import type { NetProvider } from "../provider.ts";
import { bunProvider } from "./bun.ts";
import type { BunApi } from "./bun_listener.ts";
import { denoLookupError, type DenoPermissions, denoPermit } from "./deno_permission.ts";
import { nodeProvider } from "./node.ts";
import { serverNames, systemNames } from "./node_dns.ts";
import { denoGaps, noGaps, oldNodeGaps } from "./node_gaps.ts";

/**
 * The backend for this runtime.
 *
 * @param nameServers Who is asked for names. Without them it is the system.
 */
export function systemProvider(nameServers?: readonly UdpAddress[]): NetProvider {
  const { Deno, Bun, process } = globalThis as Globals;
  const permit = Deno === undefined ? () => {} : denoPermit(Deno.permissions);
  const names = nameServers === undefined
    ? systemNames(permit, Deno === undefined ? undefined : denoLookupError)
    : serverNames(nameServers, permit);
  if (Bun !== undefined) return bunProvider(Bun, names);
  const [major, minor] = (process?.versions.node ?? "").split(".").map(Number);
  const isOldNode = major < 22 || (major === 22 && minor < 12);
  const gaps = Deno !== undefined ? denoGaps : isOldNode ? oldNodeGaps : noGaps;
  return nodeProvider(permit, names, gaps);
}

/** Whether the process's `unhandledRejection` event comes in the context of the code that rejected. On Bun it does not. */
export const rejectionsHaveContext: boolean = (globalThis as Globals).Bun === undefined;

interface Globals {
  readonly Deno?: { permissions: DenoPermissions };
  readonly Bun?: BunApi;
  readonly process?: { versions: { node: string } };
}
