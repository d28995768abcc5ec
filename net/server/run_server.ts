// Copyright 2026 the Sluice authors. MIT license.

import { checkBoolean, checkOptions, describe, isInstance, isOfKind, type Linked, List } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import {
  any,
  Cancelled,
  expectStrays,
  isCancelled,
  MultipleErrors,
  type Permit,
  Queue,
  refused,
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
import { type Outcome, type StopWatch, watchStop } from "./_stop_watch.ts";
import {
  acceptAndServe,
  checkCallbacks,
  checkListener,
  type ConnectionHandler,
  type ConnectionInfo,
  type ServeEnd,
  type ServeTerms,
} from "./accept_fork.ts";
import { Stopping } from "./connection_scope.ts";

/**
 * Options for {@linkcode runServer}.
 *
 * @typeParam T What the stop promise gives.
 */
export interface RunServerOptions<T = never> {
  /**
   * Called with what a handler throws, after its connection has been closed, and for each handler that outlives the grace
   * period. Not called for {@linkcode Cancelled}. What it throws itself ends the server; what it returns is awaited.
   *
   * @param error What the handler threw.
   * @param info The addresses of the connection.
   */
  onError: (error: unknown, info: ConnectionInfo) => unknown;
  /**
   * How many connections are served at once; others wait in the backlog. A whole number of at least 1, or `Infinity`.
   *
   * @default {1000}
   */
  maxConnections?: number | undefined;
  /**
   * Ends accepting when it settles, or is aborted: the listener is closed, running handlers are told by
   * {@linkcode ConnectionScope.stopping} and waited for. Without it the server runs until it fails or is cancelled.
   */
  stop?: Promise<T> | AbortSignal | undefined;
  /**
   * How long handlers may go on after `stop`, in milliseconds. Then they are cancelled and their connections are reset.
   *
   * @default {Infinity}
   */
  grace?: number | undefined;
  /**
   * Leaves the listener open when the server stops, to be handed on. Clients that connect then wait in its backlog.
   *
   * @default {false}
   */
  keepListening?: boolean | undefined;
  /**
   * Called with each error of accepting, which the server survives, and once for each burst of connections that are reset
   * because the backlog is full. What it throws ends the server; what it returns is awaited.
   *
   * @default {onError, where the peer is the unnamed Unix address}
   */
  onAcceptError?: ((error: unknown) => unknown) | undefined;
}

/** The first and the longest wait after an error of accepting, in milliseconds. */
const shortestBackoff = 5;
const longestBackoff = 1000;

/** How long a cancelled handler may take to end before it is reported, in milliseconds. */
const cancelPatience = 1000;

/**
 * Serves connections until told to stop: accepts one after the other, within `maxConnections`, and runs a handler for
 * each in a fiber of its own. A connection is closed as soon as its handler has ended. What a handler throws is reported
 * and does not end the server.
 *
 * When `stop` settles, the listener is closed, so that new clients are refused; connections that the system has
 * established by then are served if there is room, and reset otherwise. Running handlers are told by `stopping` and
 * waited for (at most `grace` milliseconds, then they are cancelled and awaited), and the call settles as `stop` did.
 * Without `grace`, an idle client keeps the server waiting. Once `stop` has settled, closing the listener harms no
 * handler. With `keepListening` the listener is left as it is, as Eio does.
 *
 * Cancelling the caller cancels the handlers at once, and leaves the listener to its owner.
 *
 * For a restart without a failed request, start the new process with `reusePort` before the old one stops. On Linux the
 * system resets what it establishes for the old one in the last microseconds, unless `net.ipv4.tcp_migrate_req` is 1.
 *
 * Source: Eio's `Net.run_server`.
 *
 * @typeParam T What the stop promise resolves to.
 * @param listener Where to accept.
 * @param handler Serves one connection.
 * @param options Limits, stopping, and what to do with errors.
 * @returns What `stop` resolved to; `undefined` where it is a signal.
 * @throws {ClosedError} When the listener is closed before `stop` has settled; handlers are cancelled then.
 * @throws {Cancelled} When the current scope is cancelled.
 * @throws {TypeError} When `listener` is not a listening socket, `handler` or `onError` is not a function, or an option
 * is of the wrong type.
 * @throws {RangeError} When `maxConnections` or `grace` is out of range.
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
/** Serves connections until a stop promise settles, or for ever. */
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
  return operation(async () => {
    const terms = checkTerms(listener, handler, options);
    const stop = watchStop(terms.stop);
    const forget = expectStrays();
    try {
      await refused();
      return await serveUntil(stop, listener, terms);
    } finally {
      stop.forget();
      forget();
    }
  });
}

/** What {@linkcode runServer} was given: all set, all checked. */
interface Terms<T> extends Required<Omit<RunServerOptions<T>, "stop">> {
  readonly handler: ConnectionHandler;
  readonly stop: RunServerOptions<T>["stop"];
  readonly onAcceptError: (error: unknown) => unknown;
}

function checkTerms<T>(
  listener: ListeningSocket,
  handler: ConnectionHandler,
  options: RunServerOptions<T> | undefined,
): Terms<T> {
  checkListener("run server", listener);
  checkOptions("run server", options);
  const given: Partial<RunServerOptions<T>> = options ?? {};
  const { onError, maxConnections = 1000, stop, grace = Infinity, keepListening = false, onAcceptError: own } = given;
  checkCallbacks("run server", { handler, onError });
  const reportTo = onError as RunServerOptions<T>["onError"];
  const unnamed = (error: unknown) => reportTo(error, { peer: unix(""), local: listener.address });
  const onAcceptError = own === undefined ? unnamed : own;
  checkCallbacks("run server", { onAcceptError });
  if ((maxConnections !== Infinity && !Number.isSafeInteger(maxConnections)) || maxConnections < 1) {
    throw new RangeError(
      `Cannot run server as maxConnections must be >= 1: current value is ${describe(maxConnections)}`,
    );
  }
  checkMilliseconds("run server", "grace", grace);
  checkBoolean("run server", "keepListening", keepListening);
  return { handler, onError: reportTo, maxConnections, stop, grace, keepListening, onAcceptError };
}

async function serveUntil<T>(stop: StopWatch<T>, listener: ListeningSocket, terms: Terms<T>): Promise<T> {
  const { handler, onError, maxConnections, grace, keepListening, onAcceptError } = terms;
  /** The listeners of the library that accept for this server: the one that it was given, or those under it. */
  const listeners: Set<ServedListener> = new Set();
  const found: Queue<ServedListener> = new Queue(Number.MAX_SAFE_INTEGER);
  const slots = new Semaphore(Math.min(maxConnections, Number.MAX_SAFE_INTEGER));
  const live: List<Served> = new List();
  const stopping = new Stopping();
  const serveTerms: ServeTerms = { handler, onError, stopping };
  let forced = false;

  return await Switch.run(async (server) => {
    let outcome: Outcome<T> | undefined;
    try {
      await Switch.run(async (handlers) => {
        onAccept(handlers, (listener) => {
          if (listeners.has(listener)) return;
          listeners.add(listener);
          found.tryPush(listener);
        });
        outcome = stop.settled() ?? await acceptUntilStop(handlers);
        stopping.stop();
        if (!keepListening) await listener.close?.(); // a listener that a test wrote may have none
        if (grace < Infinity) server.forkDaemon(() => force(handlers));
      }, { name: "handlers" });
    } catch (error) {
      if (!forced || !isInstance(error, Cancelled) || isCancelled()) throw error;
    }
    if (outcome !== undefined && "value" in outcome) return outcome.value;
    throw outcome?.error;
  }, { name: "runServer" });

  async function acceptUntilStop(handlers: Switch): Promise<Outcome<T>> {
    try {
      return await any<Outcome<T>>([stopped, () => acceptAll(handlers), reportOverflows]);
    } catch (error) {
      const closed = closedBy(error);
      if (closed === undefined) throw error;
      // The listener may have been closed because of the stop, by code that heard of it before us.
      await yieldNow();
      const outcome = stop.settled();
      if (outcome === undefined) throw closed;
      return outcome;
    }
  }

  /** Waits for the stop, tells the handlers, and lets what the system has established by then be accepted. */
  async function stopped(): Promise<Outcome<T>> {
    const outcome = await stop.wait();
    stopping.stop();
    if (!keepListening) await Promise.all([...listeners].map((listener) => listener.stopListening()));
    return outcome;
  }

  async function acceptAll(handlers: Switch): Promise<never> {
    let backoff = shortestBackoff;
    for (;;) {
      const slot = slots.tryAcquire() ?? await slots.acquire();
      try {
        await acceptAndServe("run server", handlers, listener, serveTerms, (connection) => {
          return new Served(live, connection, slot);
        });
        backoff = shortestBackoff;
      } catch (error) {
        slot.release();
        if (isFinal(error)) throw error;
        await onAcceptError(error);
        await sleep(backoff);
        backoff = Math.min(backoff * 2, longestBackoff);
      }
    }
  }

  /** Reports connections that are reset while every slot is taken, and notices when a listener closes. */
  function reportOverflows(): Promise<never> {
    return Switch.run(async (sw) => {
      for (;;) {
        const listener = await found.pop();
        sw.fork(() => reportOverflowsOf(listener));
      }
    });
  }

  async function reportOverflowsOf(served: ServedListener): Promise<never> {
    for (;;) {
      await served.overflow();
      const cause = new Error(`The backlog is full and connections are reset: ${served.dropped} up to now`);
      const remedy = `the backlog is full, raise maxConnections (${maxConnections}) of runServer or backlog of listen`;
      await onAcceptError(
        new NetError("quota_exceeded", { operation: "accept", address: listener.address, remedy, cause }),
      );
    }
  }

  /** Waits on the clock of the listener's network, or the real one where that has none. */
  function sleep(ms: number): Promise<void> {
    const [served] = listeners;
    return sleepOn(served?.clock ?? systemClock, ms);
  }

  /** Ends what outlives the grace period. A daemon of the server: it ends itself when the handlers do. */
  async function force(handlers: Switch): Promise<void> {
    await sleep(grace);
    if (live.oldest === undefined) return;
    forced = true;
    const reason = new Error(`The grace period of ${grace} ms is over`);
    handlers.fail(new Cancelled(reason));
    for (const { connection } of live.toArray()) connection.abort(reason);
    await sleep(cancelPatience);
    for (const served of live.toArray()) {
      if (served.hasEnded) continue; // while others were reported
      const { peer, local } = served.connection;
      const problem = `Handler of ${
        describeAddress(peer)
      } is still running ${cancelPatience} ms after it was cancelled`;
      await onError(new Error(problem), { peer, local });
    }
  }
}

/** A connection that a server serves, in the list of those, and its slot. */
class Served implements Linked<Served>, ServeEnd {
  readonly connection: StreamSocket;
  hasEnded = false;
  newer: Served | undefined;
  older: Served | undefined;
  readonly #list: List<Served>;
  readonly #slot: Permit;

  constructor(list: List<Served>, connection: StreamSocket, slot: Permit) {
    this.connection = connection;
    this.#list = list;
    this.#slot = slot;
    list.add(this);
  }

  ended(): void {
    this.hasEnded = true;
    this.#list.remove(this);
    this.#slot.release();
  }
}

/** The {@linkcode ClosedError} that `error` is, or that all its parts are: accepting and watching fail alike. */
function closedBy(error: unknown): unknown {
  const errors = isInstance(error, MultipleErrors) ? error.errors as unknown[] : [error];
  return errors.every((each) => isOfKind(each, "ClosedError")) ? errors[0] : undefined;
}

/** Whether accepting can never succeed again: the listener is closed, we are cancelled, or the program is wrong. */
function isFinal(error: unknown): boolean {
  return isOfKind(error, "Cancelled") || isOfKind(error, "ClosedError") || isInstance(error, TypeError);
}
