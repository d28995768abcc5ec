// Copyright 2026 the Sluice authors. MIT license.

import { checkOptions } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { checkIsSwitch, interruptible, refusedFor, type Switch } from "../../switch/internal.ts";
import { checkUnixPath, clockOfNet } from "../internal.ts";
import type { Connection, ConnectionHandler, ListenOptions, Net, RunServerOptions, StreamAddress } from "../mod.ts";
import { checkCallbacks, checkServer, runServer, watchStop } from "../serve/internal.ts";
import { tlsHandler, type TlsServerOptions } from "../tls/mod.ts";
import { checkEndpoint, type Endpoint } from "./endpoint.ts";
import { unusable } from "./endpoint_text.ts";

/** Options for {@linkcode serveEndpoint}, beside those of `Net.listen`. */
export interface ServeEndpointOptions extends ListenOptions {
  /** The network on which to listen. */
  net: Net;
  /**
   * The certificate and the other settings of TLS, for an endpoint that has TLS. The protocols of
   * the endpoint replace those here. The clock is that of the network if there is none.
   *
   * @default {undefined}
   */
  tls?: TlsServerOptions | undefined;
  /**
   * Called once the server listens. Its result is awaited.
   *
   * @param address The address on which it listens, with the actual port in place of 0.
   */
  listening?: ((address: StreamAddress) => unknown) | undefined;
}

const action = "serve an endpoint";

/**
 * Listens on an endpoint, and serves connections until stopped, as `runServer` does. Each layer of
 * TLS in the endpoint is a TLS server around the handler, the innermost endpoint is what it listens
 * on. The server name in the endpoint is not used: the certificate is that of `tls`.
 *
 * The listener is closed when the call settles, or `sw` ends.
 *
 * Source: conduit's `serve`.
 *
 * @typeParam T The type of the stop promise's value.
 * @param sw The switch that owns the listener.
 * @param options The network, the settings of TLS, and those of the listener.
 * @param endpoint The endpoint: TCP or Unix, or TLS over one of these.
 * @param handler Serves one connection, after the handshakes.
 * @param serverOptions The options of `runServer`, without `keepListening`.
 * @returns The value of `stop`; `undefined` if it is a signal.
 * @throws {NetError} If the system cannot listen. `address_lookup_failed` for an unknown endpoint;
 * `not_supported` for a host name or a custom one.
 * @throws {TypeError} If an argument is of the wrong type, `sw` is finished, or there is TLS in the
 * endpoint and none in the options; nothing is opened then.
 * @throws {SyntaxError} If the certificate, its key or an authority cannot be parsed.
 * @throws {RangeError} If a number is out of range.
 * @throws {ClosedError} If the listener is closed before `stop` has settled.
 * @throws {Cancelled} If the current scope, or `sw`, is cancelled.
 * @throws {unknown} What `listening` throws.
 *
 * @example A server that a setting describes
 * ```ts
 * import { createConnector, type Endpoint, parseEndpoint, serveEndpoint } from "@sluice/io/net/endpoint";
 * import { copyString, readAll, run } from "@sluice/io";
 * import { assertEquals } from "@std/assert";
 *
 * await run(async ({ net, sw }) => {
 *   const address = await new Promise<Endpoint>((listening) =>
 *     sw.forkDaemon(() =>
 *       serveEndpoint(sw, { net, listening }, parseEndpoint("tcp:127.0.0.1:0"), (c) => copyString("hello", c), {
 *         onError: console.error,
 *       })
 *     )
 *   );
 *   const connection = await createConnector({ net }).connect(sw, address);
 *   assertEquals(new TextDecoder().decode(await readAll(connection)), "hello");
 * });
 * ```
 */
export function serveEndpoint(
  sw: Switch,
  options: ServeEndpointOptions,
  endpoint: Endpoint,
  handler: ConnectionHandler<Connection>,
  serverOptions: Omit<RunServerOptions<undefined>, "keepListening"> & { stop: AbortSignal },
): Promise<undefined>;
/** Listens on an endpoint, and serves connections until a stop promise settles, or forever. */
export function serveEndpoint<T = never>(
  sw: Switch,
  options: ServeEndpointOptions,
  endpoint: Endpoint,
  handler: ConnectionHandler<Connection>,
  serverOptions: Omit<RunServerOptions<T>, "keepListening">,
): Promise<T>;
export function serveEndpoint<T>(
  sw: Switch,
  options: ServeEndpointOptions,
  endpoint: Endpoint,
  handler: ConnectionHandler<Connection>,
  serverOptions: Omit<RunServerOptions<T>, "keepListening">,
): Promise<T> {
  return operation(async () => {
    checkIsSwitch(sw, action);
    const { net, tls, listening, ...listenOptions } = checkOptions<ServeEndpointOptions>(action, options);
    const clock = clockOfNet(action, net, "listen");
    if (listening !== undefined) checkCallbacks(action, { listening });
    checkServer(handler, serverOptions);
    const { stop } = serverOptions;
    watchStop(action, stop).forget(); // checks it, and handles its rejection until the server does
    checkOptions(action, tls);
    let at = checkEndpoint(endpoint);
    let serve = handler;
    for (; at.transport === "tls"; at = at.over) {
      if (tls === undefined) {
        throw new TypeError(`Cannot ${action} with TLS: the option tls, with the certificate, is missing`);
      }
      serve = tlsHandler({ ...tls, clock: tls.clock ?? clock, protocols: at.protocols ?? tls.protocols }, serve);
    }
    if (at.transport === "unknown") throw unusable("listen", at, at.reason);
    if (at.transport === "custom") throw unusable("listen", at, "only a TCP or a Unix address can be listened on");
    if (at.transport === "host") throw unusable("listen", at, "listen on an IP address instead of a name");
    if (at.transport === "unix") checkUnixPath(at.path);
    await refusedFor(sw, action);
    const listener = await (net as Net).listen(sw, at, listenOptions);
    try {
      if (listening !== undefined) await interruptible(Promise.resolve(listening(listener.address)));
      return await runServer<T>(listener, serve, { ...serverOptions, stop });
    } finally {
      await listener.close();
    }
  });
}
