// Copyright 2026 the Sluice authors. MIT license.

import { formatAddress, type StreamAddress } from "../address.ts";

/** The part of Deno that is used here. */
export interface DenoPermissions {
  querySync(descriptor: Descriptor): { readonly state: string };
  requestSync(descriptor: Descriptor): { readonly state: string };
}

type Descriptor = { name: "net"; host?: string } | { name: "read" | "write"; path: string };

/**
 * Makes the check that Deno's own `node:net` does too late: there a refusal is thrown where nobody can catch it, and ends the process.
 * Like Deno's own calls it asks the user where permissions are asked for.
 */
export function denoPermit(permissions: DenoPermissions): (action: string, address: StreamAddress) => void {
  const granted = (descriptor: Descriptor) => {
    const { state } = permissions.querySync(descriptor);
    return state === "granted" || (state === "prompt" && permissions.requestSync(descriptor).state === "granted");
  };
  return (action, address) => {
    const missing = needed(address).find((descriptor) => !granted(descriptor));
    if (missing === undefined) return;
    const error = new Error(`Cannot ${action} ${formatAddress(address)}: Deno has not granted --allow-${missing.name}`);
    error.name = "NotCapable";
    throw error;
  };
}

function needed(address: StreamAddress): Descriptor[] {
  if (address.transport === "tcp") {
    const host = address.ip.version === 6 ? `[${address.ip}]` : String(address.ip);
    return [{ name: "net", host: `${host}:${address.port}` }];
  }
  if (address.path.startsWith("\0")) return [{ name: "net" }];
  const { path } = address;
  return [{ name: "read", path }, { name: "write", path }, { name: "net", host: `unix:${path}` }];
}
