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
 * Starts TLS over a flow, as its server: at once, or in the midst of another protocol (STARTTLS).
 *
 * When the handshake fails or is cancelled, the flow is closed. From the call on it belongs to the TLS connection, which belongs to `sw`; only arguments that are
 * wrong, and a call that is refused, leave it alone.
 *
 * If something was read from the flow through a `BufReader` before, pass what its `unread()` returns, as in the example:
 * otherwise the beginning of the handshake is lost in its buffer. Whatever else is in that buffer counts as a part of the
 * handshake too, which fails then: plaintext that an attacker has slipped in is never taken for something that came under
 * TLS (CVE-2011-0411).
 *
 * Where the runtime is Bun, a connection whose client has ended its sending half can be written to only until that end is read.
 *
 * @param sw The switch that owns the connection.
 * @param flow What carries the encrypted bytes: a socket, a pipe, another TLS connection. Nobody else uses it from now on.
 * @param options What to show, and what to ask for.
 * @returns The connection, when the handshake is done.
 * @throws {TlsError} When the handshake fails: the code says why. A flow that breaks meanwhile throws its own error.
 * @throws {TypeError} When `sw` is finished, or an argument is of the wrong kind, or the key is of another certificate.
 * @throws {SyntaxError} When the certificate, its key or an authority cannot be read.
 * @throws {RangeError} When a number of milliseconds, or the size of a protocol's name, is out of range.
 * @throws {Cancelled} When the current scope, or `sw`, is cancelled.
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
 * @example A server whose certificate can be exchanged while it runs
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

/** Checks the options of a server, and says how it opens connections. */
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
      const identity = fixed ?? checkCertificate(await interruptible(ask(certificate, serverName)));
      return { open: (events) => nodeTls.accept({ ...settings, identity }, events), serverName };
    },
  };
}

async function ask(
  certificate: TlsServerOptions["certificate"],
  serverName: string | undefined,
): Promise<TlsCertificate> {
  return typeof certificate === "function" ? await certificate(serverName) : certificate;
}
