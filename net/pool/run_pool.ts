// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions, describe, isInstance } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { Cancelled, type Semaphore, Switch } from "../../switch/internal.ts";
import { type ListeningSocket, NetError } from "../internal.ts";
import {
  checkCallbacks,
  type ConnectionHandler,
  type ConnectionInfo,
  runServer,
  type ServerMonitor,
  slotsOf,
} from "../serve/internal.ts";
import { noteDropped } from "../server/internal.ts";
import { type Report, serveOne } from "./_serve.ts";
import type { PoolHandler } from "./callbacks.ts";
import { checkPool, type PoolOptions } from "./pool_options.ts";

/**
 * Options for {@linkcode runPool}.
 *
 * @typeParam S The type of the state of a connection.
 * @typeParam T The type of the stop promise's value.
 */
export interface RunPoolOptions<S, T = never> extends PoolOptions<S> {
  /**
   * Called with each error of a connection, after `failed` and before `closed`, and with errors of
   * accepting, whose peer is the unnamed Unix address. An error that it throws itself ends the
   * pool. Its result is awaited.
   *
   * @param error The error.
   * @param info The addresses of the connection.
   */
  onError: (error: unknown, info: ConnectionInfo) => unknown;
  /**
   * The most connections at once: an integer >= 1, or `Infinity`; or a {@linkcode Semaphore}, which
   * can be shared and resized as in `runServer`.
   *
   * @default {1000}
   */
  maxConnections?: number | Semaphore | undefined;
  /**
   * What becomes of one connection more: `"wait"` leaves it in the backlog; `"refuse"` accepts and
   * resets it, which a monitor counts as `dropped`, and calls `onError` with `quota_exceeded` once,
   * until a connection is admitted again.
   *
   * @default {"wait"}
   */
  overload?: "wait" | "refuse" | undefined;
  /**
   * Stops the pool when it settles or is aborted: the listener is closed, and `stopping` is called
   * for each connection. Without it the pool runs until it fails or is cancelled.
   */
  stop?: Promise<T> | AbortSignal | undefined;
  /**
   * How long connections may last after `stop`, in milliseconds. Then their callbacks are
   * cancelled, and they are reset.
   *
   * @default {Infinity}
   */
  grace?: number | undefined;
  /**
   * Observes the pool, as a server.
   *
   * @default {undefined}
   */
  monitor?: ServerMonitor | undefined;
}

/**
 * Accepts connections until stopped, and serves each by the callbacks of `handler`, in a fiber of
 * its own. Limits and stopping are those of `runServer`.
 *
 * Cancelling the caller cancels the callbacks, and resets the connections; `closed` is still called
 * for each.
 *
 * Source: Thousand Island.
 *
 * @typeParam S The type of the state of a connection.
 * @typeParam T The type of the stop promise's value.
 * @param listener The listening socket.
 * @param handler The callbacks.
 * @param options The initial state, limits, when to stop, and how to handle errors.
 * @returns The value of `stop`; `undefined` if it is a signal.
 * @throws {ClosedError} If the listener is closed before `stop` has settled.
 * @throws {Cancelled} If the current scope is cancelled.
 * @throws {TypeError} If an argument, a callback, or an option is of the wrong type.
 * @throws {RangeError} If a number is out of range.
 *
 * @example An echo server
 * ```ts
 * import { copyString, readExact, run, tcp } from "@sluice/io";
 * import { type PoolHandler, proceed, runPool } from "@sluice/io/net/pool";
 *
 * const echo: PoolHandler<undefined> = {
 *   async received(c, bytes) {
 *     await c.write(bytes);
 *     return proceed();
 *   },
 * };
 *
 * await run(async ({ net, sw }) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *   const stop = new AbortController();
 *   sw.fork(() => runPool(listener, echo, { state: () => undefined, onError: console.error, stop: stop.signal }));
 *   const client = await net.connect(sw, listener.address);
 *   await copyString("hello", client);
 *   await readExact(client, new Uint8Array(5));
 *   stop.abort();
 * });
 * ```
 */
export function runPool<S>(
  listener: ListeningSocket,
  handler: PoolHandler<S>,
  options: RunPoolOptions<S, undefined> & { stop: AbortSignal },
): Promise<undefined>;
/** Serves connections by callbacks until a stop promise settles, or forever. */
export function runPool<S, T = never>(
  listener: ListeningSocket,
  handler: PoolHandler<S>,
  options: RunPoolOptions<S, T>,
): Promise<T>;
export function runPool<S, T>(
  listener: ListeningSocket,
  handler: PoolHandler<S>,
  options: RunPoolOptions<S, T>,
): Promise<T> {
  return operation(async () => {
    const given = checkOptions<RunPoolOptions<S, T>>("run pool", options);
    const terms = checkPool("run pool", handler, given);
    const { onError, maxConnections = 1000, overload = "wait", stop, grace, monitor } = given;
    checkCallbacks("run pool", { onError });
    if (overload !== "wait" && overload !== "refuse") {
      throw new TypeError(
        `Cannot run pool as overload must be "wait" or "refuse": current value is ${describe(overload)}`,
      );
    }
    const slots = slotsOf(maxConnections);
    const tell = onError as Report;
    return await Switch.run((pool) => {
      const report: Report = async (error, info) => {
        try {
          await tell(error, info);
        } catch (thrown) {
          if (!isInstance(thrown, Cancelled)) pool.fail(thrown);
        }
      };
      const serve: ConnectionHandler = (connection, _, { stopping }) => serveOne(terms, report, connection, stopping);
      const refuses = overload === "refuse";
      return runServer<T>(listener, refuses ? refusing(slots, serve) : serve, {
        onError: tell,
        maxConnections: refuses ? Infinity : slots,
        stop,
        grace,
        monitor,
      });
    }, { name: "runPool" });
  });
}

/** Returns a handler that resets what has no slot. A connection has its slot until it is closed. */
function refusing(slots: Semaphore, serve: ConnectionHandler): ConnectionHandler {
  let overloaded = false;
  return async (connection, peer, scope) => {
    const slot = slots.tryAcquire();
    if (slot === null) {
      const remedy = `all ${slots.permits} connections of the pool are in use, raise maxConnections`;
      const error = new NetError("quota_exceeded", { operation: "serve", address: peer, remedy });
      connection.abort(error);
      noteDropped();
      if (overloaded) return;
      overloaded = true;
      throw error;
    }
    overloaded = false;
    try {
      await serve(connection, peer, scope);
    } finally {
      try {
        await connection.close();
      } finally {
        slot.release();
      }
    }
  };
}
