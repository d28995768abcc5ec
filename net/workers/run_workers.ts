// Copyright 2026 the Sluice authors. MIT license.

import {
  checkFunction,
  checkMilliseconds,
  checkOptions,
  checkWhole,
  describe,
  isInstance,
} from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { refused } from "../../switch/internal.ts";
import { type Threads, threadsOf, type WorkerManager } from "../env/internal.ts";
import { checkStreamAddress, NetError, type TcpAddress } from "../internal.ts";
import { checkMonitor, type ConnectionInfo, type ServerMonitor, watchStop } from "../serve/internal.ts";
import { supervise, type SupervisedTerms } from "./_supervise.ts";

/**
 * Options for {@linkcode runWorkers}.
 *
 * @typeParam T The type of the stop promise's value.
 */
export interface RunWorkersOptions<T = never> {
  /** The URL of the module to load in each worker. Its default export is a `WorkerServer`. */
  module: URL;
  /** Where to listen. Port 0 is chosen by the system once, for all workers. */
  address: TcpAddress;
  /**
   * Called with each error of a handler, as in `runServer`, and of a worker that has died, for
   * which the peer is the unnamed Unix address. An error that it throws itself ends the server. Its
   * result is awaited, and the connection occupies its slot until then.
   *
   * The error was copied from another thread: it is an `Error` with the name, message, stack, code,
   * context and cause of the original, but no instance of its class.
   *
   * @param error What failed.
   * @param info The addresses of the connection.
   */
  onError: (error: Error, info: ConnectionInfo) => unknown;
  /**
   * How many threads to start: an integer >= 1.
   *
   * @default {workers.parallelism}
   */
  workers?: number | undefined;
  /**
   * What each worker gets as `data`: anything that `structuredClone` takes. It is copied once, at
   * the call.
   *
   * @default {undefined}
   */
  data?: unknown;
  /**
   * The most connections served at once by all workers together; others wait in the backlogs. At
   * least `workers`, as each takes a slot before it accepts, or `Infinity`.
   *
   * @default {1000}
   */
  maxConnections?: number | undefined;
  /** Stops all workers when it settles or is aborted, as in `runServer`. */
  stop?: Promise<T> | AbortSignal | undefined;
  /**
   * How long handlers may run after `stop`, in milliseconds. Then they are cancelled and their
   * connections are reset. A worker that is too busy to notice that it is to stop is terminated a
   * second later.
   *
   * @default {Infinity}
   */
  grace?: number | undefined;
  /**
   * Called once all workers listen. An error that it throws ends the server. Its result is awaited.
   *
   * @param address The address, with the actual port.
   */
  onListen?: ((address: TcpAddress) => unknown) | undefined;
  /**
   * Observes the workers: its numbers are sums over all of them. `connections()` lists what the
   * workers have sent last, which is at most about a second old.
   *
   * @default {undefined}
   */
  monitor?: ServerMonitor | undefined;
}

/**
 * Serves connections in several threads, each of which listens on the same address and runs a
 * server of the module until all are stopped together. The system spreads connections over the
 * threads.
 *
 * A worker that dies, because nothing catches an error in it, or it exits or runs out of memory, is
 * reported to `onError` and replaced, after 100 ms at first and at most 5 seconds if replacements
 * die too. Its connections are lost, and counted as `lost` by the monitor. If a worker cannot start
 * at the beginning, the call fails. Only Node limits the memory of a thread: on Deno and Bun, one
 * that runs out of memory ends the process.
 *
 * When `stop` settles, each worker stops as `runServer` does, and then the call settles as `stop`
 * did. Cancelling the caller cancels the handlers at once. Either way every thread has ended when
 * the call returns.
 *
 * Needs the feature `reusePort`. On Deno, starting a thread needs `--allow-read` for
 * the library and the module.
 *
 * Source: `additional_domains` of Eio's `Net.run_server`.
 *
 * @typeParam T The type of the stop promise's value.
 * @param workers The capability to start threads, `env.workers`.
 * @param options What to run, limits, when to stop, and how to handle errors.
 * @returns The value of `stop`; `undefined` if it is a signal.
 * @throws {NetError} `not_supported` if the network lacks the feature `reusePort`, or the address
 * is a Unix path.
 * @throws {Error} If a worker cannot start: its module cannot be loaded, has no server as its
 * default export, or throws, or the worker cannot listen. The name, message, code and stack are
 * those of the worker's error.
 * @throws {Cancelled} If the current scope is cancelled.
 * @throws {TypeError} If `workers` is not `env.workers` of a `run` that has not ended, an option is
 * of the wrong type, or `data` cannot be cloned.
 * @throws {RangeError} If `workers`, `maxConnections` or `grace` is out of range.
 *
 * @example A server on every core
 * ```ts ignore
 * import { formatAddress, run, tcp } from "@sluice/io";
 * import { runWorkers } from "@sluice/io/net/workers";
 *
 * await run((env) =>
 *   runWorkers(env.workers, {
 *     module: new URL("./serve.ts", import.meta.url),
 *     address: tcp("127.0.0.1", 0),
 *     onListen: (address) => console.log(`listening on ${formatAddress(address)}`),
 *     onError: console.error,
 *     stop: env.stop(),
 *     grace: 10_000,
 *   })
 * );
 * ```
 */
export function runWorkers(
  workers: WorkerManager,
  options: RunWorkersOptions<undefined> & { stop: AbortSignal },
): Promise<undefined>;
/** Serves connections in several threads until a stop promise settles, or forever. */
export function runWorkers<T = never>(workers: WorkerManager, options: RunWorkersOptions<T>): Promise<T>;
export function runWorkers<T>(workers: WorkerManager, options: RunWorkersOptions<T>): Promise<T> {
  return operation(async () => {
    const threads = threadsOf("run workers", workers);
    const given: Partial<RunWorkersOptions<T>> = checkOptions("run workers", options);
    const terms = checkTerms(threads, workers, given);
    const stop = watchStop("run workers", given.stop);
    try {
      await refused();
      const outcome = stop.settled() ?? await supervise(threads, terms, () => stop.wait());
      if ("value" in outcome) return outcome.value;
      throw outcome.error;
    } finally {
      stop.forget();
    }
  });
}

function checkTerms<T>(
  threads: Threads,
  manager: WorkerManager,
  options: Partial<RunWorkersOptions<T>>,
): SupervisedTerms {
  const { module, address, onError, data, grace = Infinity, onListen, monitor } = options;
  if (!isInstance(module, URL)) {
    throw new TypeError(`Cannot run workers as module must be a URL: current value is ${describe(module)}`);
  }
  const checked = checkStreamAddress(address);
  checkFunction("run workers: onError", onError);
  if (onListen !== undefined) checkFunction("run workers: onListen", onListen);
  checkMilliseconds("run workers", "grace", grace);
  if (monitor !== undefined) checkMonitor("run workers", monitor);
  const { workers = manager.parallelism, maxConnections = 1000 } = options;
  checkWhole("run workers", "workers", workers, 1);
  checkWhole("run workers", "maxConnections", maxConnections, 1, true);
  if (maxConnections < workers) {
    throw new RangeError(
      `Cannot run workers as maxConnections must be at least workers (${workers}): current value is ${maxConnections}`,
    );
  }
  const cloned = clone(data);
  if (checked.transport !== "tcp") throw notSupported(checked, "workers cannot share a Unix path");
  if (!threads.net.features.has("reusePort")) throw notSupported(checked, "workers share a port by reusePort");
  return {
    module: new URL(module.href),
    address: checked,
    data: cloned,
    workers,
    maxConnections,
    grace,
    monitor,
    onError: onError as SupervisedTerms["onError"],
    onListen,
  };
}

function clone(data: unknown): unknown {
  try {
    return structuredClone(data);
  } catch (cause) {
    throw new TypeError("Cannot run workers as data must be what structuredClone() can copy", { cause });
  }
}

function notSupported(address: NetError["address"], remedy: string): NetError {
  return new NetError("not_supported", { operation: "listen", address, remedy });
}
