// Copyright 2026 the Sluice authors. MIT license.

/**
 * Networks that grant less than the one they are made of.
 *
 * @module
 */

export { limit, type NetQuota } from "./limit.ts";
export { meter, type NetUsage } from "./meter.ts";
export { revocable } from "./revocable.ts";
