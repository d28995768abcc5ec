// Copyright 2026 the Sluice authors. MIT license.

/**
 * Servers of callbacks, for protocols that are state machines.
 *
 * ```ts
 * import { type PoolHandler, proceed } from "@sluice/io/net/pool";
 *
 * const echo: PoolHandler<undefined> = {
 *   async received(c, bytes) {
 *     await c.write(bytes);
 *     return proceed();
 *   },
 * };
 * ```
 *
 * @module
 */

export { finish, type Next, type PoolHandler, proceed, type ProceedOptions, switchTo } from "./callbacks.ts";
export type { PoolConnection } from "./pool_connection.ts";
export { poolHandler, type PoolHandlerOptions } from "./pool_handler.ts";
export type { PoolOptions } from "./pool_options.ts";
export { runPool, type RunPoolOptions } from "./run_pool.ts";
