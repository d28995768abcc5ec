// Copyright 2026 the Sluice authors. MIT license.

import { checkCancelled } from "../switch/cancel.ts";
import { isInstance, textOf } from "../switch/check.ts";
import { Cancelled, Failures } from "../switch/errors.ts";
import { currentScope, failureIn } from "../switch/scope.ts";
import type { Switch } from "../switch/switch.ts";
import { formatAddress, type StreamAddress } from "./address.ts";
import { addContext } from "./errors.ts";
import type { ListeningSocket, StreamSocket } from "./types.ts";

/**
 * Serves one connection. What it gives is awaited; the connection is closed when it has ended.
 *
 * @param flow The connection.
 * @param peer The other side's address.
 */
export type ConnectionHandler = (flow: StreamSocket, peer: StreamAddress) => unknown;

/** Options for {@linkcode acceptFork}. */
export interface AcceptForkOptions {
  /**
   * Told what a handler threw, after its connection has been closed. Not called for {@linkcode Cancelled}. What it throws itself fails the switch; what it
   * gives is awaited.
   */
  onError: (error: unknown) => unknown;
}

/**
 * Waits for one connection and serves it in a fiber of its own. The connection is closed as soon as the handler has ended, in whatever way.
 *
 * {@linkcode runServer} does this again and again, within limits.
 *
 * Source: Eio's `Net.accept_fork`.
 *
 * @param sw The switch that owns the connection and the fiber.
 * @param listener Where to accept.
 * @param handler Serves the connection.
 * @param options What to do with errors.
 * @returns A promise that is fulfilled when a connection has been accepted and its handler started.
 * @throws {NetError} When the system cannot accept.
 * @throws {ClosedError} When the listener is closed.
 * @throws {Cancelled} When the current scope, or `sw`, is cancelled.
 * @throws {TypeError} When `sw` is finished, or `handler` or `onError` is not a function.
 *
 * @example One connection
 * ```ts
 * import { acceptFork, copyString, readAll, run, Switch, tcp } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * await run((env) =>
 *   Switch.run(async (sw) => {
 *     const listener = await env.net.listen(sw, tcp("127.0.0.1", 0));
 *     sw.fork(() => acceptFork(sw, listener, (flow) => copyString("hello", flow), { onError: (error) => sw.fail(error) }));
 *     const flow = await env.net.connect(sw, listener.address);
 *     assertEquals(new TextDecoder().decode(await readAll(flow)), "hello");
 *   })
 * );
 * ```
 */
export async function acceptFork(
  sw: Switch,
  listener: ListeningSocket,
  handler: ConnectionHandler,
  options: AcceptForkOptions,
): Promise<void> {
  const { onError } = options;
  checkCallbacks("accept", { handler, onError });
  const flow = await listener.accept(sw);
  sw.fork(() => serve(flow, handler, onError));
}

/** Runs a handler, closes its connection, reports what it threw, and calls `ended`. */
export function serve(
  flow: StreamSocket,
  handler: ConnectionHandler,
  onError: (error: unknown) => unknown,
  ended?: (flow: StreamSocket) => void,
): Promise<void> {
  const { peer } = flow;
  // No async function, whose frame an idle connection would keep.
  return called(handler, flow, peer).then(
    () => finish(flow, peer, onError, ended),
    (error) => finish(flow, peer, onError, ended, failuresWith(error)),
  );
}

function called(handler: ConnectionHandler, flow: StreamSocket, peer: StreamAddress): Promise<unknown> {
  try {
    return Promise.resolve(handler(flow, peer));
  } catch (error) {
    return Promise.reject(error);
  }
}

async function finish(
  flow: StreamSocket,
  peer: StreamAddress,
  onError: (error: unknown) => unknown,
  ended: ((flow: StreamSocket) => void) | undefined,
  failures?: Failures,
): Promise<void> {
  try {
    try {
      await flow.close();
    } catch (error) {
      failures = failuresWith(error, failures);
    }
    if (failures !== undefined) await report(failures, peer, onError);
  } finally {
    ended?.(flow);
  }
}

function failuresWith(error: unknown, failures: Failures = new Failures()): Failures {
  failures.add(failureIn(currentScope(), error));
  return failures;
}

async function report(
  { error }: Failures,
  peer: StreamAddress,
  onError: (error: unknown) => unknown,
): Promise<void> {
  // A cancellation is not ours to report; and where nobody has cancelled this fiber, not ours to fail with.
  if (isInstance(error, Cancelled)) checkCancelled();
  else await onError(addContext(error, `handling connection from ${formatAddress(peer)}`));
}

/** Refuses callbacks that cannot be called. */
export function checkCallbacks(action: string, callbacks: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(callbacks)) {
    if (typeof value !== "function") {
      throw new TypeError(`Cannot ${action} as ${name} must be a function: current value is ${textOf(value)}`);
    }
  }
}
