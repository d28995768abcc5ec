// Copyright 2026 the Sluice authors. MIT license.

import { BufReader, type TwoWay } from "../../flow/mod.ts";
import { interruptible, type Switch } from "../../switch/mod.ts";
import { checkAuthorities, checkCertificate, checkProtocols } from "./_checks.ts";
import { nodeTls } from "./_node_engine.ts";
import { openTls, type TlsPlan } from "./_open_tls.ts";
import { maxHello, readServerName } from "./_server_name.ts";
import type { TlsCertificate, TlsServerOptions } from "./options.ts";
import type { TlsConnection } from "./tls_connection.ts";

/**
 * Starts TLS over a flow as a server: at once, or within another protocol (STARTTLS).
 *
 * If the handshake fails or is cancelled, the flow is closed. From the call on, the flow belongs to
 * the TLS connection, which belongs to `sw`, unless an argument is invalid or the call is refused.
 *
 * After reading from the flow through a `BufReader`, pass the result of its `unread()`, as in the
 * example: otherwise the start of the handshake is lost in its buffer. Anything else in that buffer
 * becomes part of the handshake, which then fails: plaintext injected by an attacker is never taken
 * for TLS data (CVE-2011-0411).
 *
 * On Bun, a connection cannot be written to once the client's end (close_notify) has been read.
 *
 * @param sw The switch that owns the connection.
 * @param flow The flow that carries the encrypted bytes: a socket, a pipe, another TLS connection.
 * Do not use it otherwise from now on.
 * @param options The certificate, and the settings.
 * @returns The connection, after the handshake.
 * @throws {TlsError} If the handshake fails; the code says why. A flow that breaks throws its own
 * error.
 * @throws {TypeError} If `sw` is finished, or an argument is of the wrong kind, or the key does not
 * belong to the certificate.
 * @throws {SyntaxError} If the certificate, its key or an authority cannot be parsed.
 * @throws {RangeError} If a number of milliseconds, or the size of a protocol's name, is out of
 * range.
 * @throws {Cancelled} If the current scope, or `sw`, is cancelled.
 *
 * @example STARTTLS, on both sides
 * ```ts
 * import { BufReader, both, copyString, pipe, Switch } from "@sluice/io";
 * import { tlsClient, tlsServer } from "@sluice/io/net/tls";
 * import { assertEquals } from "@std/assert";
 * import { readFileSync } from "node:fs";
 *
 * const pem = (name: string) => readFileSync(`tests/fixtures/tls/${name}`);
 * const certificate = { chain: pem("localhost.crt"), key: pem("localhost.key") };
 *
 * await Switch.run(async (sw) => {
 *   const [a, b] = pipe();
 *   const client = async () => {
 *     await copyString("STARTTLS\r\n", a);
 *     const reader = new BufReader(a, { maxSize: 1024 });
 *     assertEquals(await reader.line(), "220 go ahead");
 *     const tls = await tlsClient(sw, reader.unread(a), { serverName: "localhost", authorities: pem("authority.crt") });
 *     await copyString("hello\r\n", tls);
 *   };
 *   const server = async () => {
 *     const reader = new BufReader(b, { maxSize: 1024 });
 *     assertEquals(await reader.line(), "STARTTLS");
 *     await copyString("220 go ahead\r\n", b);
 *     const tls = await tlsServer(sw, reader.unread(b), { certificate });
 *     assertEquals(await new BufReader(tls, { maxSize: 1024 }).line(), "hello");
 *   };
 *   await both(client, server);
 * });
 * ```
 *
 * @example A server whose certificate can be replaced while it runs
 * ```ts ignore
 * let certificate = await readCertificate();
 * process.on("SIGHUP", async () => certificate = await readCertificate());
 *
 * await runServer(listener, (flow) =>
 *   Switch.run(async (sw) => {
 *     const tls = await tlsServer(sw, flow, { certificate: () => certificate });
 *     await copy(tls, tls);
 *   }), { onError: console.error });
 * ```
 */
export function tlsServer(sw: Switch, flow: TwoWay, options: TlsServerOptions): Promise<TlsConnection> {
  return openTls(sw, flow, options, planServer);
}

/** Checks the options of a server; returns the plan for its connections. */
export function planServer({ certificate, authorities, protocols }: TlsServerOptions): TlsPlan {
  const fixed = typeof certificate === "function" ? undefined : checkCertificate(certificate);
  const settings = { authorities: checkAuthorities(authorities), protocols: checkProtocols(protocols) };
  return {
    expectedName: undefined,
    label: "TLS with a client",
    async prepare({ records }) {
      const reader = new BufReader(records.source, { maxSize: maxHello });
      records.source = reader.asSource();
      const serverName = await readServerName(reader);
      const identity = fixed ?? checkCertificate(await interruptible(certificateFor(certificate, serverName)));
      return { open: (events) => nodeTls.accept({ ...settings, identity }, events), serverName };
    },
  };
}

async function certificateFor(
  certificate: TlsServerOptions["certificate"],
  serverName: string | undefined,
): Promise<TlsCertificate> {
  return typeof certificate === "function" ? await certificate(serverName) : certificate;
}
