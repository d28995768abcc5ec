// Copyright 2026 the Sluice authors. MIT license.

import { ClosedError } from "../flow/errors.ts";
import { awaitCancel, interruptible, isCancelled } from "../switch/cancel.ts";
import { isInstance, textOf } from "../switch/check.ts";
import { systemClock } from "../switch/clock.ts";
import { Cancelled } from "../switch/errors.ts";
import { any } from "../switch/fiber.ts";
import { refused } from "../switch/scope.ts";
import { type Permit, Semaphore } from "../switch/semaphore.ts";
import { Switch } from "../switch/switch.ts";
import { checkCallbacks, type ConnectionHandler, serve } from "./accept.ts";
import { formatAddress } from "./address.ts";
import { NetError } from "./errors.ts";
import { checkMilliseconds } from "./options.ts";
import type { ListeningSocket, StreamSocket } from "./types.ts";

/**
 * Options for {@linkcode runServer}.
 *
 * @typeParam T What the stop promise gives.
 */
export interface RunServerOptions<T = never> {
  /**
   * Told what a handler threw, after its connection has been closed, and which handlers outlive the grace period. Not called for {@linkcode Cancelled}.
   * What it throws itself ends the server; what it gives is awaited.
   */
  onError: (error: unknown) => unknown;
  /**
   * How many connections are served at once; others wait in the backlog. A whole number of at least 1, or `Infinity`.
   *
   * @default {1000}
   */
  maxConnections?: number | undefined;
  /** Ends accepting when it settles, or is aborted. Handlers that run are waited for. Without it the server runs until it fails or is cancelled. */
  stop?: Promise<T> | AbortSignal | undefined;
  /**
   * How long handlers may go on after `stop`, in milliseconds. Then they are cancelled and their connections are reset.
   *
   * @default {Infinity}
   */
  grace?: number | undefined;
  /**
   * Told of each error of accepting, which the server survives, and of connections that were reset because nobody took them in time. What it throws ends
   * the server; what it gives is awaited.
   *
   * @default {onError}
   */
  onAcceptError?: ((error: unknown) => unknown) | undefined;
}

/** The first and the longest wait after an error of accepting, in milliseconds. */
const shortestBackoff = 5;
const longestBackoff = 1000;

/** How long a cancelled handler may take to end before it is reported, in milliseconds. */
const cancelPatience = 1000;

/** How a stop promise settled. */
type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/**
 * Serves connections until told to stop: accepts one after the other, within `maxConnections`, and runs a handler for each in a fiber of its own. A
 * connection is closed as soon as its handler has ended. What a handler throws is reported and does not end the server.
 *
 * When `stop` settles, nothing more is accepted, running handlers are waited for (at most `grace` milliseconds, then they are cancelled and awaited), and
 * the call settles as `stop` did. Without `grace`, an idle client keeps the server waiting. Cancelling the caller cancels the handlers at once. The
 * listener is not closed.
 *
 * Source: Eio's `Net.run_server`.
 *
 * @typeParam T What the stop promise gives.
 * @param listener Where to accept.
 * @param handler Serves one connection.
 * @param options Limits, stopping, and what to do with errors.
 * @returns What `stop` gave; `undefined` where it is a signal.
 * @throws {ClosedError} When the listener is closed; handlers are cancelled then.
 * @throws {Cancelled} When the current scope is cancelled.
 * @throws {TypeError} When `handler` or `onError` is not a function, or an option is of the wrong type.
 * @throws {RangeError} When `maxConnections` or `grace` is out of range.
 *
 * @example An echo server that drains
 * ```ts
 * import { copy, copyString, readExact, run, runServer, Switch, tcp } from "@sluice/io";
 *
 * await run((env) =>
 *   Switch.run(async (sw) => {
 *     const listener = await env.net.listen(sw, tcp("127.0.0.1", 0));
 *     const stop = new AbortController();
 *     sw.fork(() => runServer(listener, (flow) => copy(flow, flow), { onError: console.error, stop: stop.signal }));
 *     const flow = await env.net.connect(sw, listener.address);
 *     await copyString("hello", flow);
 *     await readExact(flow, new Uint8Array(5));
 *     await flow.close();
 *     stop.abort();
 *   })
 * );
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
export async function runServer<T>(
  listener: ListeningSocket,
  handler: ConnectionHandler,
  options: RunServerOptions<T>,
): Promise<T> {
  const { onError, maxConnections = 1000, stop, grace = Infinity, onAcceptError = onError } = options;
  checkCallbacks("run server", { handler, onError, onAcceptError });
  if ((maxConnections !== Infinity && !Number.isSafeInteger(maxConnections)) || maxConnections < 1) {
    throw new RangeError(
      `Cannot run server as maxConnections must be >= 1: current value is ${textOf(maxConnections)}`,
    );
  }
  checkMilliseconds("run server", "grace", grace);
  const clock = listener.clock ?? systemClock;
  const slots = new Semaphore(Math.min(maxConnections, Number.MAX_SAFE_INTEGER));
  const live = new Map<StreamSocket, Permit>();
  const stopping = watch(stop);
  let forced = false;
  try {
    await refused();
    return await Switch.run(async (server) => {
      let outcome: Outcome<T> | undefined;
      try {
        await Switch.run(async (handlers) => {
          outcome = stopping.settled() ??
            await any<Outcome<T>>([stopping.wait, () => acceptAll(handlers), reportOverflows]);
          if (grace < Infinity) server.forkDaemon(() => force(handlers));
        });
      } catch (error) {
        if (!forced || !isInstance(error, Cancelled) || isCancelled()) throw error;
      }
      if (outcome !== undefined && "value" in outcome) return outcome.value;
      throw outcome?.error;
    }, { name: "server" });
  } finally {
    stopping.forget();
  }

  async function acceptAll(handlers: Switch): Promise<never> {
    let backoff = shortestBackoff;
    for (;;) {
      const slot = slots.tryAcquire() ?? await slots.acquire();
      try {
        const flow = await listener.accept(handlers);
        backoff = shortestBackoff;
        handlers.fork(() => {
          live.set(flow, slot);
          return serve(flow, handler, onError, ended);
        });
      } catch (error) {
        slot.release();
        if (isFinal(error)) throw error;
        await onAcceptError(error);
        await clock.sleep(backoff);
        backoff = Math.min(backoff * 2, longestBackoff);
      }
    }
  }

  /** One for all connections. */
  function ended(flow: StreamSocket): void {
    live.get(flow)?.release();
    live.delete(flow);
  }

  /** Tells of connections that are turned away while there is no slot, and sees the listener close meanwhile. */
  async function reportOverflows(): Promise<never> {
    for (;;) {
      await (listener.overflow?.() ?? awaitCancel());
      const cause = new Error(`The backlog is full and connections are reset: ${listener.dropped} up to now`);
      await onAcceptError(new NetError("quota_exceeded", { operation: "accept", address: listener.address, cause }));
    }
  }

  /** Ends what outlives the grace period. A daemon of the server: it ends itself when the handlers do. */
  async function force(handlers: Switch): Promise<void> {
    await clock.sleep(grace);
    if (live.size === 0) return;
    forced = true;
    handlers.fail(new Cancelled(new Error(`The grace period of ${grace} ms is over`)));
    for (const flow of live.keys()) flow.abort();
    await clock.sleep(cancelPatience);
    for (const flow of live.keys()) {
      const peer = formatAddress(flow.peer);
      await onError(new Error(`Handler of ${peer} is still running ${cancelPatience} ms after it was cancelled`));
    }
  }
}

/** Whether accepting can never succeed again: the listener is closed, we are cancelled, or the program is wrong. */
function isFinal(error: unknown): boolean {
  return [Cancelled, ClosedError, TypeError].some((type) => isInstance(error, type));
}

/** Follows a stop promise or signal. */
function watch<T>(stop: Promise<T> | AbortSignal | undefined): {
  /** How it has settled, if it has. */
  settled(): Outcome<T> | undefined;
  /** Waits until it settles. */
  wait(): Promise<Outcome<T>>;
  forget(): void;
} {
  if (stop !== undefined && !isInstance(stop, AbortSignal) && typeof stop?.then !== "function") {
    throw new TypeError(
      `Cannot run server as stop must be a promise or an AbortSignal: current value is ${textOf(stop)}`,
    );
  }
  let outcome: Outcome<T> | undefined;
  let wake = (_: Outcome<T>): void => {};
  const waiting = new Promise<Outcome<T>>((resolve) => wake = resolve);
  const settle = (given: Outcome<T>) => wake(outcome = given);
  const aborted = () => settle({ value: undefined as T });
  const signal = isInstance(stop, AbortSignal) ? stop : undefined;
  if (signal?.aborted) aborted();
  signal?.addEventListener("abort", aborted);
  if (stop !== undefined && !isInstance(stop, AbortSignal)) {
    stop.then((value: T) => settle({ value }), (error: unknown) => settle({ error }));
  }
  return {
    settled: () => outcome,
    wait: () => interruptible(waiting),
    forget: () => signal?.removeEventListener("abort", aborted),
  };
}
