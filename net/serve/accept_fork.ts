// Copyright 2026 the Sluice authors. MIT license.

import { checkShape, describe, isInstance } from "../../base/internal.ts";
import { ignore, operation } from "../../flow/internal.ts";
import {
  Cancelled,
  checkCancelled,
  checkIsSwitch,
  currentScope,
  failureIn,
  Failures,
  interruptible,
  runIn,
  type Scope,
  type StrayListener,
  strayListener,
  type Switch,
} from "../../switch/internal.ts";
import {
  addContext,
  type Connection,
  describeAddress,
  isServed,
  type ListeningSocket,
  type StreamAddress,
  type StreamSocket,
} from "../internal.ts";
import { type ConnectionScope, endScope, fiberOf, HandlerScope, Stopping } from "./connection_scope.ts";

/**
 * Serves one connection. Its result is awaited. When the handler has ended, resources of `scope.sw`
 * are released, and then the connection is closed.
 *
 * Middleware, such as TLS or a time limit, is a function from handler to handler, over any kind of
 * connection.
 *
 * @typeParam C The kind of connection.
 * @param connection The connection.
 * @param peer The peer's address.
 * @param scope The connection's own switch, and the stop signal of the server.
 *
 * @example A handler that opens what it needs
 * ```ts
 * import { type ConnectionHandler, type Net, proxy, type StreamAddress } from "@sluice/io";
 *
 * function forwardTo(net: Net, target: StreamAddress): ConnectionHandler {
 *   return async (connection, _, { sw }) => {
 *     const upstream = await net.connect(sw, target); // closed when the handler ends
 *     await proxy(connection, upstream);
 *   };
 * }
 * ```
 */
export type ConnectionHandler<C extends Connection = StreamSocket> = (
  connection: C,
  peer: StreamAddress,
  scope: ConnectionScope,
) => unknown;

/** The addresses of a connection whose handler failed: those in a PROXY header, if it had one. */
export interface ConnectionInfo {
  /** The peer's address. */
  readonly peer: StreamAddress;
  /** The local address. */
  readonly local: StreamAddress;
}

/** Options for {@linkcode acceptFork}. */
export interface AcceptForkOptions {
  /**
   * Called with whatever a handler throws, except {@linkcode Cancelled}, after its connection has
   * been closed. An error that it throws itself fails the switch. Its result is awaited.
   *
   * @param error What the handler threw.
   * @param info The addresses of the connection.
   */
  onError: (error: unknown, info: ConnectionInfo) => unknown;
}

/**
 * Accepts one connection and serves it in a new fiber. The connection is closed as soon as the
 * handler has ended, whether it succeeded or not.
 *
 * {@linkcode runServer} accepts connections repeatedly, within limits.
 *
 * Source: Eio's `Net.accept_fork`.
 *
 * @param sw The switch that owns the connection and the fiber.
 * @param listener The listening socket.
 * @param handler Serves the connection.
 * @param options How to handle errors.
 * @returns A promise that is fulfilled once a connection has been accepted and its handler started.
 * @throws {NetError} If the system cannot accept.
 * @throws {ClosedError} If the listener is closed.
 * @throws {Cancelled} If the current scope, or `sw`, is cancelled.
 * @throws {TypeError} If `sw` is finished, or `handler` or `onError` is not a function.
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
export function acceptFork(
  sw: Switch,
  listener: ListeningSocket,
  handler: ConnectionHandler,
  options: AcceptForkOptions,
): Promise<void> {
  return operation(async () => {
    checkIsSwitch(sw, "accept");
    checkListener("accept", listener);
    const { onError }: Partial<AcceptForkOptions> = options ?? {};
    checkCallbacks("accept", { handler, onError });
    const terms: ServeTerms = { handler, onError: onError as AcceptForkOptions["onError"], stopping: new Stopping() };
    const connection = await acceptFrom("accept", sw, listener);
    sw.fork(() => serve(connection, terms));
  });
}

/** How to serve connections. */
export interface ServeTerms {
  readonly handler: ConnectionHandler;
  readonly onError: AcceptForkOptions["onError"];
  readonly stopping: Stopping;
}

/** What the server learns of a connection. */
export interface ServeEvents {
  /** The handler has failed, which is about to be reported. */
  failed(): void;
  /** The connection is closed, and any error of its handler has been reported. */
  ended(): void;
}

/**
 * Accepts one connection, of a listener that has passed {@linkcode checkListener}.
 *
 * @param action What the caller does, for errors.
 */
export function acceptFrom(action: string, sw: Switch, listener: ListeningSocket): Promise<StreamSocket> {
  return isServed(listener) ? listener.accept(sw) : acceptForeign(action, sw, listener);
}

/**
 * Accepts from a foreign listener, which may ignore the current scope: a late connection is
 * aborted.
 */
async function acceptForeign(action: string, sw: Switch, listener: ListeningSocket): Promise<StreamSocket> {
  const accepting = Promise.resolve(listener.accept(sw));
  let connection: StreamSocket;
  try {
    connection = await interruptible(accepting);
  } catch (error) {
    accepting.then((late) => late.abort(error)).catch(ignore);
    throw error;
  }
  checkShape(action, "what the listener accepts", "a connection", connection, "close");
  return connection;
}

/** Sets the addresses of the connection whose handler is running, for reports and monitors. */
export function setInfo(info: ConnectionInfo): void {
  const strays = strayListener();
  if (isInstance(strays, Strays)) strays.info = info;
}

/** Returns the addresses of `connection`, which is served in `fiber`. */
export function infoOf(fiber: Scope | undefined, connection: ConnectionInfo): ConnectionInfo {
  const strays = fiber?.strayListener;
  return isInstance(strays, Strays) ? strays.info : connection;
}

/** Runs a handler in the current fiber, closes its connection and reports what it threw. */
export function serve(connection: StreamSocket, terms: ServeTerms, events?: ServeEvents): Promise<void> {
  const { peer, local } = connection;
  const scope = new HandlerScope(terms.stopping, new Strays({ peer, local }, terms.onError));
  // Not an async function: each idle connection would keep its frame.
  return callHandler(terms.handler, connection, peer, scope).then(
    () => finish(connection, scope, terms.onError, events),
    (error) => finish(connection, scope, terms.onError, events, { error }),
  );
}

/**
 * Reports errors of calls that a handler did not await, as if the handler had thrown them. It lives
 * as long as the handler's scope, which contexts of the runtime may retain, and so does not hold
 * the connection.
 */
class Strays implements StrayListener {
  /** The scope of the server. */
  readonly #scope: Scope | undefined = currentScope()?.parent;
  info: ConnectionInfo;
  readonly #onError: AcceptForkOptions["onError"];

  constructor(info: ConnectionInfo, onError: AcceptForkOptions["onError"]) {
    this.info = info;
    this.#onError = onError;
  }

  stray(error: unknown): void {
    runIn(this.#scope, report, error, this.info, this.#onError, undefined);
  }
}

function callHandler(
  handler: ConnectionHandler,
  connection: StreamSocket,
  peer: StreamAddress,
  scope: HandlerScope,
): Promise<unknown> {
  try {
    return Promise.resolve(handler(connection, peer, scope));
  } catch (error) {
    return Promise.reject(error);
  }
}

async function finish(
  connection: StreamSocket,
  scope: HandlerScope,
  onError: AcceptForkOptions["onError"],
  events: ServeEvents | undefined,
  thrown?: { readonly error: unknown },
): Promise<void> {
  let failures: Failures | undefined;
  try {
    try {
      const ending = endScope(scope, thrown);
      if (ending !== undefined) await ending;
      else if (thrown !== undefined) throw thrown.error;
    } catch (error) {
      failures = withFailure(failureIn(fiberOf(scope), error));
    }
    try {
      await connection.close();
    } catch (error) {
      failures = withFailure(error, failures);
    }
    // A failure in the handler's switch cancels its scope, so report in the server's scope.
    if (failures !== undefined) {
      const fiber = fiberOf(scope);
      await runIn(fiber?.parent, report, failures.error, infoOf(fiber, connection), onError, events);
    }
  } finally {
    events?.ended();
  }
}

function withFailure(error: unknown, failures: Failures = new Failures()): Failures {
  failures.add(error);
  return failures;
}

async function report(
  error: unknown,
  { peer, local }: ConnectionInfo,
  onError: AcceptForkOptions["onError"],
  events: ServeEvents | undefined,
): Promise<void> {
  // A cancellation is not reported, and ends the server only if the server itself is cancelled.
  if (isInstance(error, Cancelled)) return checkCancelled();
  events?.failed();
  await onError(addContext(error, `handling connection from ${describeAddress(peer)}`), { peer, local });
}

/** Throws `TypeError` unless `listener` has the shape of a listening socket. */
export function checkListener(action: string, listener: unknown): void {
  if (typeof (listener as Partial<ListeningSocket> | null | undefined)?.accept === "function") return;
  const hint = typeof (listener as { listen?: unknown } | null | undefined)?.listen === "function"
    ? "a Net: use what its listen() returns"
    : describe(listener);
  throw new TypeError(`Cannot ${action} as listener must be a listening socket: current value is ${hint}`);
}

/** Throws `TypeError` unless all `callbacks` are functions. */
export function checkCallbacks(action: string, callbacks: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(callbacks)) {
    if (typeof value !== "function") {
      throw new TypeError(`Cannot ${action} as ${name} must be a function: current value is ${describe(value)}`);
    }
  }
}
