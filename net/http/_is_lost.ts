// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../../base/internal.ts";
import { NetError } from "../internal.ts";
import { TlsError } from "../tls/internal.ts";

/** Reports whether an error says that the peer has closed the connection. */
export function isLost(error: unknown): boolean {
  return (isInstance(error, NetError) && error.code === "connection_reset") ||
    (isInstance(error, TlsError) && error.code === "truncated");
}
