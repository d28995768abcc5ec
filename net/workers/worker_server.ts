// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction } from "../../base/internal.ts";
import type { Clock, Switch } from "../../switch/internal.ts";
import type { Net } from "../internal.ts";
import type { ConnectionHandler } from "../serve/internal.ts";

/**
 * What a worker can use.
 *
 * @typeParam D The type of `data`.
 */
export interface WorkerEnv<D = unknown> {
  /** The system's network. */
  readonly net: Net;
  /** The system's clock. */
  readonly clock: Clock;
  /** The worker's switch. It ends after the last handler; a failure in it ends the worker. */
  readonly sw: Switch;
  /** A copy of the `data` of {@linkcode runWorkers}. */
  readonly data: D;
}

/** How a worker serves. */
export interface WorkerService {
  /** Serves one connection. */
  readonly handler: ConnectionHandler;
}

/**
 * What a module for workers exports by default. Made by {@linkcode workerServer}.
 *
 * @typeParam D The type of the data.
 */
export interface WorkerServer<D = unknown> {
  /**
   * Prepares a worker.
   *
   * @param env What the worker can use.
   * @returns Its handler.
   */
  readonly prepare: (env: WorkerEnv<D>) => WorkerService | Promise<WorkerService>;
}

/**
 * Describes the server of a module for {@linkcode runWorkers}. The module exports it by default,
 * and is loaded in each worker.
 *
 * @typeParam D The type of `data`, which is not checked when the program runs.
 * @param prepare Called once in each worker, before it listens. An error that it throws is one of
 * {@linkcode runWorkers}.
 * @returns The server.
 * @throws {TypeError} If `prepare` is not a function.
 *
 * @example An echo server with a greeting
 * ```ts
 * import { copy, copyString } from "@sluice/io";
 * import { workerServer } from "@sluice/io/net/workers";
 *
 * export default workerServer<{ greeting: string }>(({ data }) => ({
 *   handler: async (connection) => {
 *     await copyString(data.greeting, connection);
 *     await copy(connection, connection);
 *   },
 * }));
 * ```
 */
export function workerServer<D = unknown>(
  prepare: (env: WorkerEnv<D>) => WorkerService | Promise<WorkerService>,
): WorkerServer<D> {
  checkFunction("make a worker server", prepare);
  return Object.freeze({ prepare });
}
