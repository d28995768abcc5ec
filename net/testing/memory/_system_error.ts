// Copyright 2026 the Sluice authors. MIT license.

import { describeAddress } from "../../internal.ts";
import type { Address } from "../../mod.ts";

/** Returns an error like a runtime's for a system error: "connect ECONNREFUSED tcp:10.0.0.5:80". */
export function systemError(code: string, syscall: string, address?: Address): Error {
  const target = address === undefined ? "" : ` ${describeAddress(address)}`;
  return Object.assign(new Error(`${syscall} ${code}${target}`), { code, syscall });
}
