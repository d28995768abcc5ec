// Copyright 2026 the Sluice authors. MIT license.

import { type Address, describeAddress } from "../../internal.ts";

/** The part of Deno that is used here. */
export interface DenoPermissions {
  querySync(descriptor: Descriptor): { readonly state: string };
  requestSync(descriptor: Descriptor): { readonly state: string };
}

type Descriptor = { name: "net"; host?: string } | { name: "read" | "write"; path: string };

/**
 * Makes the check that Deno's own `node:net` does too late: there a refusal is thrown where nobody can catch it, and ends the process.
 * Like Deno's own calls it asks the user where permissions are asked for, unless it is told to be quiet.
 */
export function denoPermit(
  permissions: DenoPermissions,
): (action: string, address: Address, quietly?: boolean) => void {
  const granted = (descriptor: Descriptor, quietly: boolean) => {
    const { state } = permissions.querySync(descriptor);
    if (state !== "prompt" || quietly) return state === "granted";
    return permissions.requestSync(descriptor).state === "granted";
  };
  return (action, address, quietly = false) => {
    const missing = needed(address).find((descriptor) => !granted(descriptor, quietly));
    if (missing === undefined) return;
    const flag = `--allow-${missing.name}=${missing.name === "net" ? missing.host ?? "" : missing.path}`.replace(
      /=$/,
      "",
    );
    const error = new Error(`Cannot ${action} ${describeAddress(address)}: Deno has not granted ${flag}`);
    error.name = "NotCapable";
    throw error;
  };
}

/** Says which flag a lookup lacks. Deno itself says `EPERM`, and nothing else. */
export function denoLookupError(error: unknown, name: string): unknown {
  if ((error as { code?: unknown } | null)?.code !== "EPERM") return error;
  const refusal = new Error(`Cannot look up ${name}: Deno has not granted --allow-net=${name}`, { cause: error });
  refusal.name = "NotCapable";
  return refusal;
}

function needed(address: Address): Descriptor[] {
  if (address.transport !== "unix") {
    const host = address.ip.version === 6 ? `[${address.ip}]` : String(address.ip);
    return [{ name: "net", host: `${host}:${address.port}` }];
  }
  if (address.path.startsWith("\0")) return [{ name: "net" }];
  const { path } = address;
  return [{ name: "read", path }, { name: "write", path }, { name: "net", host: `unix:${path}` }];
}
