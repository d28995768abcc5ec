// Copyright 2026 the Sluice authors. MIT license.

import { checkFunction } from "../../base/internal.ts";
import type { Connection, ConnectionHandler } from "../mod.ts";
import { checkCommon, checkTlsOptions } from "./_checks.ts";
import { openTls } from "./_open_tls.ts";
import type { TlsServerOptions } from "./options.ts";
import type { TlsConnection } from "./tls_connection.ts";
import { planServer } from "./tls_server.ts";

/**
 * Returns a connection handler, for `runServer` and `acceptFork`, that starts TLS and calls
 * `handler` with the TLS connection. The handshake runs in the connection's fiber, so a slow client
 * does not delay others. The TLS connection belongs to the connection's switch: it closes when the
 * handler has ended. A failed handshake is an error of that connection; `handler` is not called
 * then.
 *
 * The options are checked once, by this call; a certificate that is not a function is also parsed
 * once.
 *
 * @param options The options of {@linkcode tlsServer}.
 * @param handler Serves an established TLS connection. Its result is awaited.
 * @returns A handler for any kind of connection: sockets, or TLS connections for TLS in TLS.
 * @throws {TypeError} If an argument is of the wrong kind, or the key does not belong to the
 * certificate.
 * @throws {SyntaxError} If the certificate, its key or an authority cannot be parsed.
 * @throws {RangeError} If a number of milliseconds, or the size of a protocol's name, is out of
 * range.
 *
 * @example An echo server over TLS
 * ```ts
 * import { copy, copyString, readAll, run, runServer, Switch, tcp } from "@sluice/io";
 * import { tlsClient, tlsHandler } from "@sluice/io/net/tls";
 * import { assertEquals } from "@std/assert";
 * import { readFileSync } from "node:fs";
 *
 * const pem = (name: string) => readFileSync(`tests/fixtures/tls/${name}`);
 * const certificate = { chain: pem("localhost.crt"), key: pem("localhost.key") };
 *
 * await run(async ({ net, sw }) => {
 *   const listener = await net.listen(sw, tcp("127.0.0.1", 0));
 *   sw.forkDaemon(() =>
 *     runServer(listener, tlsHandler({ certificate }, (tls) => copy(tls, tls)), { onError: console.error })
 *   );
 *   await Switch.run(async (sw) => {
 *     const flow = await net.connect(sw, listener.address);
 *     const tls = await tlsClient(sw, flow, { serverName: "localhost", authorities: pem("authority.crt") });
 *     await copyString("hello", tls);
 *     await tls.shutdown("send");
 *     assertEquals((await readAll(tls)).length, 5);
 *   });
 * });
 * ```
 */
export function tlsHandler(
  options: TlsServerOptions,
  handler: ConnectionHandler<TlsConnection>,
): ConnectionHandler<Connection> {
  checkTlsOptions(options);
  checkFunction("make a TLS handler", handler);
  const own = { ...options };
  checkCommon(own);
  const plan = planServer(own);
  return async (connection, peer, scope) => {
    await handler(await openTls(scope.sw, connection, own, () => plan), peer, scope);
  };
}
