// Copyright 2026 the Sluice authors. MIT license.

/** Helpers for the tests of TLS. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { all, pipe, type Switch, type TwoWay } from "../../../mod.ts";
import { type TlsCertificate, tlsClient, type TlsClientOptions, type TlsConnection } from "../../../net/tls/mod.ts";
import { tlsServer, type TlsServerOptions } from "../../../net/tls/mod.ts";

/** Returns the path of a fixture. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
}

/** Reads a certificate of the fixtures. */
export function certificate(name: string): TlsCertificate {
  return { chain: readFileSync(fixture(`${name}.crt`), "utf8"), key: readFileSync(fixture(`${name}.key`), "utf8") };
}

/** The authority of all certificates but the stranger's. */
export const authority: string = readFileSync(fixture("authority.crt"), "utf8");

/** The default options of a client and of a server. */
export const clientOptions: TlsClientOptions = { serverName: "localhost", authorities: authority };
export const serverOptions: TlsServerOptions = { certificate: certificate("localhost") };

/** Opens TLS between two flows. */
export function secured(
  sw: Switch,
  [a, b]: readonly [TwoWay, TwoWay],
  client: Partial<TlsClientOptions> = {},
  server: Partial<TlsServerOptions> = {},
): Promise<[TlsConnection, TlsConnection]> {
  return all([
    () => tlsClient(sw, a, { ...clientOptions, ...client }),
    () => tlsServer(sw, b, { ...serverOptions, ...server }),
  ]);
}

/** Opens TLS over a pipe. */
export function securedPipe(
  sw: Switch,
  client: Partial<TlsClientOptions> = {},
  server: Partial<TlsServerOptions> = {},
): Promise<[TlsConnection, TlsConnection]> {
  return secured(sw, pipe(), client, server);
}
