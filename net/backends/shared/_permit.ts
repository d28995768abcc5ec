// Copyright 2026 the Sluice authors. MIT license.

import type { Address } from "../../internal.ts";

/** Throws the runtime's own error when the program may not do something; told to be quiet, without asking the user. */
export type Permit = (action: string, address: Address, quietly?: boolean) => void;
