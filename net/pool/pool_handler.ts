// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions } from "../../base/internal.ts";
import type { Connection } from "../internal.ts";
import { checkCallbacks, type ConnectionHandler, type ConnectionInfo } from "../serve/internal.ts";
import { type Report, serveOne } from "./_serve.ts";
import type { PoolHandler } from "./callbacks.ts";
import { checkPool, type PoolOptions } from "./pool_options.ts";

/**
 * Options for {@linkcode poolHandler}.
 *
 * @typeParam S The type of the state of a connection.
 */
export interface PoolHandlerOptions<S> extends PoolOptions<S> {
  /**
   * Called with each error of a connection, before `closed`. The server is not told of it then, but
   * of what this throws. Its result is awaited.
   *
   * @param error The error.
   * @param info The addresses of the connection.
   * @default {the server's onError, after the connection is closed}
   */
  onError?: ((error: unknown, info: ConnectionInfo) => unknown) | undefined;
}

/**
 * Returns a connection handler that serves each connection by the callbacks of a pool, so that
 * these compose with TLS, the PROXY protocol and limits. `stopping` is called when the scope of the
 * connection is told to stop.
 *
 * @typeParam S The type of the state of a connection.
 * @param handler The callbacks.
 * @param options The initial state, and limits.
 * @returns A handler, for `runServer`, `acceptFork`, and functions from handler to handler.
 * @throws {TypeError} If `handler`, one of its callbacks, or an option is of the wrong type.
 * @throws {RangeError} If a time or a size is out of range.
 *
 * @example Callbacks within a server
 * ```ts
 * import { copyString, readAll, run, runServer, Switch, tcp } from "@sluice/io";
 * import { type PoolHandler, poolHandler, proceed } from "@sluice/io/net/pool";
 * import { perPeer } from "@sluice/io/net/server";
 * import { assertEquals } from "@std/assert";
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
 *   const handler = perPeer(20, poolHandler(echo, { state: () => undefined }));
 *   sw.forkDaemon(() => runServer(listener, handler, { onError: console.error }));
 *   await Switch.run(async (sw) => {
 *     const client = await net.connect(sw, listener.address);
 *     await copyString("hello", client);
 *     await client.shutdown("send");
 *     assertEquals(new TextDecoder().decode(await readAll(client)), "hello");
 *   });
 * });
 * ```
 */
export function poolHandler<S>(
  handler: PoolHandler<S>,
  options: PoolHandlerOptions<S>,
): ConnectionHandler<Connection> {
  const action = "make a pool handler";
  const given = checkOptions<PoolHandlerOptions<S>>(action, options);
  const terms = checkPool(action, handler, given);
  const { onError } = given;
  if (onError !== undefined) checkCallbacks(action, { onError });
  return (connection, _, scope) => serveOne(terms, onError as Report | undefined, connection, scope.stopping);
}
