// Copyright 2026 the Sluice authors. MIT license.

/**
 * Networks that grant less than the one they are made of: for plug-ins, agents, webhooks and any
 * other code that must not reach the whole network.
 *
 * ```ts
 * import type { Net } from "@sluice/io/net";
 * import { restrict } from "@sluice/io/net/confine";
 *
 * const forPlugin = (net: Net): Net => restrict(net, { connect: ["api.example.com:443"] });
 * ```
 *
 * @module
 */

export { limit, type NetQuota } from "./limit.ts";
export { meter, type NetUsage } from "./meter.ts";
export { type NetDenial, type NetPolicy } from "./policy.ts";
export { publicOnly } from "./public_only.ts";
export { restrict } from "./restrict.ts";
export { revocable } from "./revocable.ts";
