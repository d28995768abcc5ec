// Copyright 2026 the Sluice authors. MIT license.

import { checkBoolean, checkOptions, describe, isInstance, isOfKind, type Linked, List } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import {
  any,
  Cancelled,
  currentScope,
  expectStrays,
  isCancelled,
  MultipleErrors,
  type Permit,
  Queue,
  refused,
  type Scope,
  Semaphore,
  sleepOn,
  Switch,
  systemClock,
  yieldNow,
} from "../../switch/internal.ts";
import { checkMilliseconds } from "../../base/internal.ts";
import {
  describeAddress,
  type ListeningSocket,
  NetError,
  onAccept,
  type ServedListener,
  type StreamSocket,
  unix,
} from "../internal.ts";
import { recordClock } from "./_server_clock.ts";
import { type Outcome, type StopWatch, watchStop } from "./_stop_watch.ts";
import {
  acceptFrom,
  checkCallbacks,
  checkListener,
  type ConnectionHandler,
  type ConnectionInfo,
  infoOf,
  serve,
  type ServeEvents,
  type ServeTerms,
} from "./accept_fork.ts";
import { Stopping } from "./connection_scope.ts";
import { checkMonitor, type ConnectionLog, logServer, type ServerLog, type ServerMonitor } from "./server_monitor.ts";

/** What a server takes a slot from before it accepts a connection, such as a {@linkcode Semaphore}. */
export interface Slots {
  /** How many there are. */
  readonly permits: number;
  /** Takes a slot, or returns null if none is free. */
  tryAcquire(): Permit | null;
  /** Waits for a slot, until the current scope is cancelled. */
  acquire(): Promise<Permit>;
}

/** Parts of a server that belong to more than one thread. */
export interface SharedParts {
  /** In place of `maxConnections`. */
  readonly slots: Slots;
  /** In place of the log of `monitor`. Called once the arguments have been checked. */
  startLog(): ServerLog | undefined;
}

/**
 * Options for {@linkcode runServer}.
 *
 * @typeParam T The type of the stop promise's value.
 */
export interface RunServerOptions<T = never> {
  /**
   * Called with whatever a handler throws, except {@linkcode Cancelled}, after its connection has
   * been closed, and for each handler that outlives the grace period. An error that it throws
   * itself ends the server. Its result is awaited.
   *
   * @param error What the handler threw.
   * @param info The addresses of the connection.
   */
  onError: (error: unknown, info: ConnectionInfo) => unknown;
  /**
   * The most connections served at once; others wait in the backlog. An integer >= 1, or
   * `Infinity`.
   *
   * A {@linkcode Semaphore} can be shared by several servers, and resized while they run. Each
   * takes a permit before it accepts, so an idle server holds one: the semaphore needs more permits
   * than servers. After it has shrunk, running handlers continue, and each server may accept one
   * more connection with the permit that it holds.
   *
   * @default {1000}
   */
  maxConnections?: number | Semaphore | undefined;
  /**
   * Stops the server when it settles or is aborted: the listener is closed, and running handlers
   * are notified by {@linkcode ConnectionScope.stopping} and awaited. Without it the server runs
   * until it fails or is cancelled.
   */
  stop?: Promise<T> | AbortSignal | undefined;
  /**
   * How long handlers may run after `stop`, in milliseconds. Then they are cancelled and their
   * connections are reset.
   *
   * @default {Infinity}
   */
  grace?: number | undefined;
  /**
   * Whether to leave the listener open when the server stops, to hand it over. Clients that connect
   * meanwhile wait in its backlog.
   *
   * @default {false}
   */
  keepListening?: boolean | undefined;
  /**
   * Called with each error of accepting, which the server survives, and once for each burst of
   * connections reset because the backlog is full. An error that it throws ends the server. Its
   * result is awaited.
   *
   * @default {onError, where the peer is the unnamed Unix address}
   */
  onAcceptError?: ((error: unknown) => unknown) | undefined;
  /**
   * Observes the server. One monitor can observe several servers.
   *
   * @default {undefined}
   */
  monitor?: ServerMonitor | undefined;
}

/** Initial and maximal back-off after an error of accepting, in milliseconds. */
export const shortestBackoff = 5;
export const longestBackoff = 1000;

/** How long a cancelled handler may keep running before it is reported, in milliseconds. */
const cancelTimeout = 1000;

/**
 * Serves connections until stopped: accepts one after the other, at most `maxConnections` at a
 * time, and runs a handler for each in a new fiber. A connection is closed as soon as its handler
 * has ended. An error of a handler is reported and does not end the server.
 *
 * When `stop` settles, the listener is closed and refuses new clients. Connections that the system
 * has established by then are served if there is room, and reset otherwise. Running handlers are
 * notified by `stopping` and awaited; after `grace` milliseconds they are cancelled. Then the call
 * settles as `stop` did. Without `grace`, an idle client delays the stop indefinitely. Once
 * `stop` has settled, closing the listener does not affect handlers. With `keepListening` the
 * listener stays open, as in Eio.
 *
 * Cancelling the caller cancels the handlers at once, and leaves the listener to its owner.
 *
 * For a restart without failed requests, start the new process with `reusePort` before the old one
 * stops. Unless `net.ipv4.tcp_migrate_req` is 1, Linux resets connections that it establishes for
 * the old process in its last microseconds.
 *
 * Source: Eio's `Net.run_server`.
 *
 * @typeParam T The type of the stop promise's value.
 * @param listener The listening socket.
 * @param handler Serves one connection.
 * @param options Limits, when to stop, and how to handle errors.
 * @returns The value of `stop`; `undefined` if it is a signal.
 * @throws {ClosedError} If the listener is closed before `stop` has settled; the handlers are
 * cancelled.
 * @throws {Cancelled} If the current scope is cancelled.
 * @throws {TypeError} If `listener` is not a listening socket, `handler` or `onError` is not a
 * function, or an option is of the wrong type.
 * @throws {RangeError} If `maxConnections` or `grace` is out of range.
 *
 * @example An echo server that drains
 * ```ts
 * import { copy, copyString, readExact, run, runServer, tcp } from "@sluice/io";
 *
 * await run(async ({ net, sw }) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *   const stop = new AbortController();
 *   sw.fork(() => runServer(listener, (connection) => copy(connection, connection), { onError: console.error, stop: stop.signal }));
 *   const flow = await net.connect(sw, listener.address);
 *   await copyString("hello", flow);
 *   await readExact(flow, new Uint8Array(5));
 *   await flow.close();
 *   stop.abort();
 * });
 * ```
 */
export function runServer(
  listener: ListeningSocket,
  handler: ConnectionHandler,
  options: RunServerOptions<undefined> & { stop: AbortSignal },
): Promise<undefined>;
/** Serves connections until a stop promise settles, or forever. */
export function runServer<T = never>(
  listener: ListeningSocket,
  handler: ConnectionHandler,
  options: RunServerOptions<T>,
): Promise<T>;
export function runServer<T>(
  listener: ListeningSocket,
  handler: ConnectionHandler,
  options: RunServerOptions<T>,
): Promise<T> {
  return runSharedServer(listener, handler, options, undefined);
}

/** Like {@linkcode runServer}, with parts that other threads use too. */
export function runSharedServer<T>(
  listener: ListeningSocket,
  handler: ConnectionHandler,
  options: RunServerOptions<T>,
  shared: SharedParts | undefined,
): Promise<T> {
  return operation(async () => {
    checkListener("run server", listener);
    const checked = checkServer(handler, options);
    const terms = shared === undefined ? checked : { ...checked, slots: shared.slots };
    const stop = watchStop("run server", terms.stop);
    const unregister = expectStrays();
    const log = shared === undefined ? terms.monitor && logServer(terms.monitor) : shared.startLog();
    try {
      await refused();
      return await serveUntil(stop, listener, terms, log);
    } finally {
      stop.forget();
      unregister();
      log?.ended();
    }
  });
}

/** The checked arguments of {@linkcode runServer}, apart from the listener. */
interface Terms<T> extends Required<Pick<RunServerOptions<T>, "onError" | "grace" | "keepListening">> {
  readonly handler: ConnectionHandler;
  readonly slots: Slots;
  readonly stop: RunServerOptions<T>["stop"];
  readonly monitor: ServerMonitor | undefined;
  readonly onAcceptError: ((error: unknown) => unknown) | undefined;
}

/** Checks a handler and the options of {@linkcode runServer}, before there is a listener. */
export function checkServer<T>(
  handler: ConnectionHandler,
  options: RunServerOptions<T> | undefined,
): Terms<T> {
  checkOptions("run server", options);
  const given: Partial<RunServerOptions<T>> = options ?? {};
  const { onError, maxConnections = 1000, stop, grace = Infinity, keepListening = false, onAcceptError, monitor } =
    given;
  checkCallbacks("run server", { handler, onError });
  const reportTo = onError as RunServerOptions<T>["onError"];
  if (onAcceptError !== undefined) checkCallbacks("run server", { onAcceptError });
  checkMilliseconds("run server", "grace", grace);
  checkBoolean("run server", "keepListening", keepListening);
  if (monitor !== undefined) checkMonitor("run server", monitor);
  const slots = slotsOf(maxConnections);
  return { handler, onError: reportTo, slots, stop, grace, keepListening, onAcceptError, monitor };
}

/** Returns the slots of a server: a shared limit, or one of its own. */
export function slotsOf(maxConnections: number | Semaphore): Semaphore {
  if (isInstance(maxConnections, Semaphore)) return maxConnections;
  if ((maxConnections !== Infinity && !Number.isSafeInteger(maxConnections)) || maxConnections < 1) {
    throw new RangeError(
      `Cannot run server as maxConnections must be >= 1: current value is ${describe(maxConnections)}`,
    );
  }
  return new Semaphore(Math.min(maxConnections, Number.MAX_SAFE_INTEGER));
}

async function serveUntil<T>(
  stop: StopWatch<T>,
  listener: ListeningSocket,
  terms: Terms<T>,
  log: ServerLog | undefined,
): Promise<T> {
  const { handler, onError, slots, grace, keepListening } = terms;
  const unnamed = (error: unknown) => onError(error, { peer: unix(""), local: listener.address });
  const { onAcceptError = unnamed } = terms;
  /** The library's listeners that accept for this server: the given one, or those that it wraps. */
  const listeners: Set<ServedListener> = new Set();
  const newListeners: Queue<ServedListener> = new Queue(Number.MAX_SAFE_INTEGER);
  const live: List<Served> = new List();
  const stopping = new Stopping();
  const serveTerms: ServeTerms = { handler, onError, stopping };
  let forced = false;

  return await Switch.run(async (server) => {
    let outcome: Outcome<T> | undefined;
    try {
      await Switch.run(async (handlers) => {
        const scope = currentScope();
        onAccept(handlers, (listener) => {
          if (listeners.has(listener)) return;
          listeners.add(listener);
          recordClock(scope, listener.clock);
          log?.listens(listener);
          newListeners.tryPush(listener);
        });
        outcome = stop.settled() ?? await acceptUntilStop(handlers);
        beginStop();
        if (!keepListening) await listener.close?.(); // a mock listener may have no close
        if (grace < Infinity) server.forkDaemon(() => cancelAfterGrace(handlers));
      }, { name: "handlers" });
    } catch (error) {
      if (!forced || !isInstance(error, Cancelled) || isCancelled()) throw error;
    }
    if (outcome !== undefined && "value" in outcome) return outcome.value;
    throw outcome?.error;
  }, { name: "runServer" });

  async function acceptUntilStop(handlers: Switch): Promise<Outcome<T>> {
    try {
      return await any<Outcome<T>>([waitForStop, () => acceptAll(handlers), reportOverflows]);
    } catch (error) {
      const closed = closedBy(error);
      if (closed === undefined) throw error;
      // Other code may have closed the listener because of the stop, before this code noticed it.
      await yieldNow();
      const outcome = stop.settled();
      if (outcome === undefined) throw closed;
      return outcome;
    }
  }

  /**
   * Waits for the stop, notifies the handlers, and stops listening without losing connections that
   * are already established.
   */
  async function waitForStop(): Promise<Outcome<T>> {
    const outcome = await stop.wait();
    beginStop();
    if (!keepListening) await Promise.all([...listeners].map((listener) => listener.stopListening()));
    return outcome;
  }

  function beginStop(): void {
    log?.stopping();
    stopping.stop();
  }

  async function acceptAll(handlers: Switch): Promise<never> {
    let backoff = shortestBackoff;
    for (;;) {
      const slot = slots.tryAcquire() ?? await slots.acquire();
      try {
        const connection = await acceptFrom("run server", handlers, listener);
        backoff = shortestBackoff;
        handlers.fork(() => {
          const served = new Served(live, connection, slot, log?.accepted(connection));
          return serve(served.counted, serveTerms, served);
        });
      } catch (error) {
        slot.release();
        if (isFinal(error)) throw error;
        log?.acceptFailed();
        await onAcceptError(error);
        await sleep(backoff);
        backoff = Math.min(backoff * 2, longestBackoff);
      }
    }
  }

  /** Reports connections that are reset while every slot is taken. Fails when a listener closes. */
  function reportOverflows(): Promise<never> {
    return Switch.run(async (sw) => {
      for (;;) {
        const listener = await newListeners.pop();
        sw.fork(() => reportOverflowsOf(listener));
      }
    });
  }

  async function reportOverflowsOf(served: ServedListener): Promise<never> {
    for (;;) {
      await served.overflow();
      const cause = new Error(`The backlog is full and connections are reset: ${served.dropped} up to now`);
      const remedy = `the backlog is full, raise maxConnections (${slots.permits}) of runServer or backlog of listen`;
      await onAcceptError(
        new NetError("quota_exceeded", { operation: "accept", address: listener.address, remedy, cause }),
      );
    }
  }

  /** Sleeps on the clock of the listener's network, or on the system's if it has none. */
  function sleep(ms: number): Promise<void> {
    const [served] = listeners;
    return sleepOn(served?.clock ?? systemClock, ms);
  }

  /**
   * Cancels handlers that outlive the grace period. A daemon: it is cancelled when all have ended.
   */
  async function cancelAfterGrace(handlers: Switch): Promise<void> {
    await sleep(grace);
    if (live.oldest === undefined) return;
    forced = true;
    const reason = new Error(`The grace period of ${grace} ms is over`);
    handlers.fail(new Cancelled(reason));
    for (const { connection } of live.toArray()) connection.abort(reason);
    await sleep(cancelTimeout);
    for (const served of live.toArray()) {
      if (served.hasEnded) continue; // ended while others were reported
      const { peer, local } = infoOf(served.fiber, served.connection);
      const problem = `Handler of ${describeAddress(peer)} is still running ${cancelTimeout} ms after it was cancelled`;
      await onError(new Error(problem), { peer, local });
    }
  }
}

/** A connection being served: a member of the list of these, which holds a slot. */
class Served implements Linked<Served>, ServeEvents {
  readonly connection: StreamSocket;
  /** The same connection for the handler: a monitor counts its bytes. */
  readonly counted: StreamSocket;
  readonly fiber: Scope | undefined = currentScope();
  hasEnded = false;
  newer: Served | undefined;
  older: Served | undefined;
  readonly #list: List<Served>;
  readonly #slot: Permit;
  readonly #log: ConnectionLog | undefined;

  constructor(list: List<Served>, connection: StreamSocket, slot: Permit, log: ConnectionLog | undefined) {
    this.connection = connection;
    this.counted = log?.connection ?? connection;
    this.#log = log;
    this.#list = list;
    this.#slot = slot;
    list.add(this);
  }

  failed(): void {
    this.#log?.failed();
  }

  ended(): void {
    this.#log?.ended();
    this.hasEnded = true;
    this.#list.remove(this);
    this.#slot.release();
  }
}

/**
 * Returns the {@linkcode ClosedError} that `error` is or consists of: when a listener closes,
 * accepting and waiting for an overflow both fail.
 */
function closedBy(error: unknown): unknown {
  const errors = isInstance(error, MultipleErrors) ? error.errors as unknown[] : [error];
  return errors.every((each) => isOfKind(each, "ClosedError")) ? errors[0] : undefined;
}

/**
 * Reports whether accepting can never succeed again: the listener is closed, the server is
 * cancelled, or the program is wrong.
 */
export function isFinal(error: unknown): boolean {
  return isOfKind(error, "Cancelled") || isOfKind(error, "ClosedError") || isInstance(error, TypeError);
}
