// Copyright 2026 the Sluice authors. MIT license.

import type { Address } from "../../internal.ts";

/**
 * Throws the runtime's own error if the program lacks permission for an action; with `quietly`, the
 * user is not prompted.
 */
export type PermissionCheck = (action: string, address: Address, quietly?: boolean) => void;
