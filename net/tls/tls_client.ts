// Copyright 2026 the Sluice authors. MIT license.

import type { TwoWay } from "../../flow/mod.ts";
import type { Switch } from "../../switch/mod.ts";
import {
  checkAuthorities,
  checkCertificate,
  checkCommon,
  checkProtocols,
  checkTlsOptions,
  checkVerification,
} from "./_checks.ts";
import type { TlsClientSettings } from "./_engine.ts";
import { nodeTls } from "./_node_engine.ts";
import { openTls, type TlsPlan } from "./_open_tls.ts";
import { checkServerName } from "./_server_name.ts";
import type { TlsClientOptions } from "./options.ts";
import type { TlsConnection } from "./tls_connection.ts";

/**
 * Starts TLS over a flow as a client: at once, or within another protocol (STARTTLS).
 *
 * The server's certificate must be valid, issued by a trusted authority, and have the name
 * `serverName`. If not, or if the handshake fails or is cancelled, the flow is closed. From the
 * call on, the flow belongs to the TLS connection, which belongs to `sw`, unless an argument is
 * invalid or the call is refused.
 *
 * @param sw The switch that owns the connection.
 * @param flow The flow that carries the encrypted bytes: a socket, a pipe, another TLS connection.
 * Do not use it otherwise from now on.
 * @param options The expected server, and the settings.
 * @returns The connection, after the handshake.
 * @throws {TlsError} If the handshake fails; the code says why. A flow that breaks throws its own
 * error.
 * @throws {TypeError} If `sw` is finished, or an argument is of the wrong kind, or the key does not
 * belong to the certificate.
 * @throws {SyntaxError} If `serverName` is neither a host name nor an IP address, or the
 * certificate, its key or an authority cannot be parsed.
 * @throws {RangeError} If a number of milliseconds, or the size of a protocol's name, is out of
 * range.
 * @throws {Cancelled} If the current scope, or `sw`, is cancelled.
 *
 * @example HTTPS by hand
 * ```ts ignore
 * import { copyString, hostAddress, readAll, run, Switch } from "@sluice/io";
 * import { tlsClient } from "@sluice/io/net/tls";
 *
 * await run((env) =>
 *   Switch.run(async (sw) => {
 *     const flow = await env.net.connect(sw, hostAddress("example.com", 443));
 *     const tls = await tlsClient(sw, flow, { serverName: "example.com" });
 *     await copyString("GET / HTTP/1.0\r\nHost: example.com\r\n\r\n", tls);
 *     console.log(new TextDecoder().decode(await readAll(tls)));
 *   })
 * );
 * ```
 */
export function tlsClient(sw: Switch, flow: TwoWay, options: TlsClientOptions): Promise<TlsConnection> {
  return openTls(sw, flow, options, planClient);
}

/** Checks the options of {@linkcode tlsClient}, and returns a function that starts TLS with them. */
export function tlsClientWith(options: TlsClientOptions): (sw: Switch, flow: TwoWay) => Promise<TlsConnection> {
  checkTlsOptions(options);
  const own = { ...options };
  checkCommon(own);
  const plan = planClient(own);
  return (sw, flow) => openTls(sw, flow, own, () => plan);
}

function planClient(options: TlsClientOptions): TlsPlan {
  const { serverName: given, authorities, certificate, verification, protocols } = options;
  const serverName = checkServerName(given);
  const settings: TlsClientSettings = {
    serverName,
    verify: checkVerification(verification),
    authorities: checkAuthorities(authorities),
    identity: certificate === undefined ? undefined : checkCertificate(certificate),
    protocols: checkProtocols(protocols),
  };
  return {
    expectedName: serverName,
    label: `TLS with ${serverName}`,
    prepare: () => Promise.resolve({ open: (events) => nodeTls.connect(settings, events), serverName }),
  };
}
