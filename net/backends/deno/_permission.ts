// Copyright 2026 the Sluice authors. MIT license.

import { type Address, describeAddress } from "../../internal.ts";

/** The part of `Deno.permissions` used here. */
export interface DenoPermissions {
  querySync(descriptor: Descriptor): { readonly state: string };
  requestSync(descriptor: Descriptor): { readonly state: string };
}

type Descriptor =
  | { name: "net"; host?: string }
  | { name: "read" | "write"; path: string }
  | { name: "sys"; kind: "networkInterfaces" };

/**
 * Returns a function that throws unless Deno grants access to an address. Deno's `node:net` checks
 * too late: it throws where no caller can catch it, which ends the process. Like Deno's own calls,
 * the function prompts the user if permissions are prompted for, unless `quietly` is set.
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
    const missing = requiredPermissions(address).find((descriptor) => !granted(descriptor, quietly));
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

/** Returns an error that names the missing flag of a lookup; Deno itself reports only `EPERM`. */
export function denoLookupError(error: unknown, name: string): unknown {
  if ((error as { code?: unknown } | null)?.code !== "EPERM") return error;
  const refusal = new Error(`Cannot look up ${name}: Deno has not granted --allow-net=${name}`, { cause: error });
  refusal.name = "NotCapable";
  return refusal;
}

/** Reports whether Deno lets this program see the interfaces of the host. Never prompts. */
export function denoShowsInterfaces(permissions: DenoPermissions): boolean {
  return permissions.querySync({ name: "sys", kind: "networkInterfaces" }).state === "granted";
}

function requiredPermissions(address: Address): Exclude<Descriptor, { name: "sys" }>[] {
  if (address.transport !== "unix") {
    const host = address.ip.version === 6 ? `[${address.ip}]` : String(address.ip);
    return [{ name: "net", host: `${host}:${address.port}` }];
  }
  if (address.path.startsWith("\0")) return [{ name: "net" }];
  const { path } = address;
  return [{ name: "read", path }, { name: "write", path }, { name: "net", host: `unix:${path}` }];
}
