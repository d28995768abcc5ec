// Copyright 2026 the Sluice authors. MIT license.

/**
 * Servers that use every core: threads that listen on one port.
 *
 * ```ts ignore
 * // serve.ts, which each worker loads
 * import { copy } from "@sluice/io";
 * import { workerServer } from "@sluice/io/net/workers";
 *
 * export default workerServer(() => ({ handler: (connection) => copy(connection, connection) }));
 * ```
 *
 * ```ts ignore
 * // main.ts
 * import { run, tcp } from "@sluice/io";
 * import { runWorkers } from "@sluice/io/net/workers";
 *
 * await run((env) =>
 *   runWorkers(env.workers, {
 *     module: new URL("./serve.ts", import.meta.url),
 *     address: tcp("0.0.0.0", 8080),
 *     onError: console.error,
 *     stop: env.stop(),
 *     grace: 10_000,
 *   })
 * );
 * ```
 *
 * @module
 */

export { runWorkers, type RunWorkersOptions } from "./run_workers.ts";
export { type WorkerEnv, type WorkerServer, workerServer, type WorkerService } from "./worker_server.ts";
