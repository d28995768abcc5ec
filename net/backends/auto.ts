// Copyright 2026 the Sluice authors. MIT license.

/** The only module that detects the runtime it runs on. */
import { avoidErrors } from "../../switch/internal.ts";
import type { UdpAddress } from "../internal.ts";
import type { NetProvider } from "../provider/internal.ts";
import { type BunApi, bunProvider } from "./bun/internal.ts";
import { type DenoApi, denoLookupError, denoPermit, denoProvider, denoShowsInterfaces } from "./deno/internal.ts";
import { serverNames, systemNames } from "./dns/internal.ts";
import { interfaceAddresses, nodeProvider, noQuirks, oldNodeQuirks } from "./node/internal.ts";

/**
 * Returns the backend of this runtime.
 *
 * @param nameServers The DNS servers to query. Without them, the system's resolver is used.
 */
export function systemProvider(nameServers?: readonly UdpAddress[]): NetProvider {
  const { Deno, Bun, process } = globalThis as Globals;
  const permit = Deno === undefined ? () => {} : denoPermit(Deno.permissions);
  const names = nameServers === undefined
    ? systemNames(permit, Deno === undefined ? undefined : denoLookupError)
    : serverNames(nameServers, permit);
  if (Bun !== undefined) return { ...bunProvider(Bun, names), ownAddresses: interfaceAddresses };
  if (Deno !== undefined) {
    avoidErrors(); // Deno captures the frames of each one, whatever the stack trace limit is
    const { permissions } = Deno;
    const ownAddresses = () => denoShowsInterfaces(permissions) ? interfaceAddresses() : undefined;
    return { ...denoProvider(Deno, permit, names), ownAddresses };
  }
  const [major, minor] = (process?.versions.node ?? "").split(".").map(Number);
  const isOldNode = major < 22 || (major === 22 && minor < 12);
  const provider = nodeProvider(permit, names, isOldNode ? oldNodeQuirks : noQuirks);
  return { ...provider, ownAddresses: interfaceAddresses };
}

/**
 * Whether `unhandledRejection` events run in the async context of the rejecting code: not on Bun.
 */
export const rejectionsHaveContext: boolean = (globalThis as Globals).Bun === undefined;

interface Globals {
  readonly Deno?: DenoApi;
  readonly Bun?: BunApi;
  readonly process?: { versions: { node: string } };
}
