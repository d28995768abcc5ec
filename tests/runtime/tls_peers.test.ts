// Copyright 2026 the Sluice authors. MIT license.

/** TLS with foreign programs on the other side. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { BufReader, copyString, readAll, tcp, type TwoWay } from "../../mod.ts";
import { type StreamSocket, Switch, type TcpAddress } from "../../mod.ts";
import { tlsClient, type TlsClientOptions, type TlsConnection, TlsError, tlsServer } from "../../net/tls/mod.ts";
import type { TlsServerOptions } from "../../net/tls/mod.ts";
import { textOf } from "../_helpers.ts";
import { test } from "../_test.ts";
import { anyPort, withNet } from "../net/_helpers.ts";
import { authority, certificate, clientOptions, fixture, serverOptions } from "../net/tls/_helpers.ts";
import { withServer } from "./_helpers.ts";
import { Peer } from "./_peers.ts";

const peers = ["openssl"];

/** Runs `fn` with a server that serves each connection by TLS, and gives what its handlers threw. */
async function withTlsServer(
  handler: (tls: TlsConnection) => unknown,
  fn: (address: TcpAddress) => Promise<void>,
  options: Partial<TlsServerOptions> = {},
): Promise<unknown[]> {
  const serve = (flow: StreamSocket) =>
    Switch.run(async (sw) => {
      await handler(await tlsServer(sw, flow, { ...serverOptions, ...options }));
    });
  return await withServer(anyPort, serve, ({ address }) => fn(address));
}

/** Answers the first line, and closes. */
async function answer(tls: TlsConnection): Promise<void> {
  const line = await new BufReader(tls, { maxSize: 1024 }).line();
  await copyString(
    `${line}, ${tls.version}, ${tls.protocol}, ${tls.serverName}, ${tls.peerCertificate?.subject}\n`,
    tls,
  );
}

function sClient({ port }: TcpAddress, ...args: string[]): Peer {
  const verify = ["-CAfile", fixture("authority.crt"), "-verify_return_error"];
  return new Peer("openssl", [
    "s_client",
    "-connect",
    `127.0.0.1:${port}`,
    "-quiet",
    "-no_ign_eof",
    ...verify,
    ...args,
  ]);
}

for (const version of ["1.3", "1.2"]) {
  const flag = `-tls${version.replace(".", "_")}`;

  test(`tlsServer() serves openssl s_client by TLS ${version}, with ALPN and SNI`, async () => {
    const errors = await withTlsServer(answer, async (address) => {
      await using peer = sClient(
        address,
        flag,
        "-alpn",
        "b,a",
        "-servername",
        "localhost",
        "-verify_hostname",
        "localhost",
      );
      peer.say("hello\n");
      assertEquals(await peer.line(), `hello, TLSv${version}, a, localhost, undefined`);
      assertEquals((await peer.ended).code, 0, peer.errors);
    }, { protocols: ["a", "b"] });
    assertEquals(errors, []);
  }, { peers });

  test(`tlsServer() verifies the certificate of openssl s_client by TLS ${version}`, async () => {
    const own = ["-cert", fixture("client.crt"), "-key", fixture("client.key")];
    const errors = await withTlsServer(answer, async (address) => {
      await using peer = sClient(address, flag, "-noservername", ...own);
      peer.say("hello\n");
      assertEquals(await peer.line(), `hello, TLSv${version}, undefined, undefined, CN=client`);
      assertEquals((await peer.ended).code, 0, peer.errors);
    }, { authorities: authority });
    assertEquals(errors, []);
  }, { peers });
}

test("tlsServer() refuses openssl s_client without a certificate", async () => {
  const errors = await withTlsServer(answer, async (address) => {
    await using peer = sClient(address);
    assert((await peer.ended).code !== 0);
    assertEquals(peer.output, "");
  }, { authorities: authority });
  assertEquals(errors.map((error) => (error as TlsError).code), ["certificate_untrusted"]);
}, { peers });

test("openssl s_client refuses a tlsServer() with an expired certificate", async () => {
  const errors = await withTlsServer(answer, async (address) => {
    await using peer = sClient(address);
    assert((await peer.ended).code !== 0);
    assert(peer.errors.includes("certificate has expired"), peer.errors);
  }, { certificate: certificate("expired") });
  assertEquals(errors.map((error) => (error as TlsError).code), ["protocol"]);
}, { peers });

test("tlsServer() takes over from plaintext for openssl s_client -starttls smtp", async () => {
  const smtp = async (flow: StreamSocket) => {
    await copyString("220 ready ESMTP\r\n", flow);
    const plain = new BufReader(flow, { maxSize: 1024 });
    for (let line = await plain.line(); line !== "STARTTLS"; line = await plain.line()) {
      await copyString("250-ready\r\n250 STARTTLS\r\n", flow);
    }
    await copyString("220 go ahead\r\n", flow);
    const rest: TwoWay = {
      read: (buffer) => plain.asSource().read(buffer),
      write: (bytes) => flow.write(bytes),
      shutdown: (how) => flow.shutdown(how),
    };
    await Switch.run(async (sw) => {
      const tls = await tlsServer(sw, rest, serverOptions);
      await answer(tls);
      await tls.close();
    });
  };
  const errors = await withServer(anyPort, smtp, async ({ address }) => {
    await using peer = sClient(address, "-starttls", "smtp");
    peer.say("hello\n");
    for (let line = await peer.line(); !line?.startsWith("hello"); line = await peer.line()) assert(line !== undefined);
    await peer.ended;
  });
  assertEquals(errors, []);
}, { peers });

/** Runs `fn` with an `openssl s_server`. */
async function withSServer(
  args: string[],
  fn: (connect: (options?: Partial<TlsClientOptions>) => Promise<TlsConnection>, peer: Peer) => Promise<void>,
): Promise<void> {
  await withNet(async (sw, net) => {
    const files = ["-cert", fixture("localhost.crt"), "-key", fixture("localhost.key")];
    await using peer = new Peer("openssl", ["s_server", "-accept", "127.0.0.1:0", ...files, ...args]);
    let line = await peer.line();
    while (line !== undefined && !line.startsWith("ACCEPT ")) line = await peer.line();
    const port = Number(line?.split(":").at(-1));
    await fn(async (options) => {
      const flow = await net.connect(sw, tcp("127.0.0.1", port));
      return await tlsClient(sw, flow, { ...clientOptions, ...options });
    }, peer);
  });
}

for (const version of ["1.3", "1.2"]) {
  const flag = `-tls${version.replace(".", "_")}`;

  test(
    `tlsClient() talks to openssl s_server by TLS ${version}`,
    () =>
      withSServer([flag, "-rev", "-alpn", "a,b"], async (connect) => {
        const tls = await connect({ protocols: ["b", "c"] });
        assertEquals([tls.version, tls.protocol], [`TLSv${version}`, "b"]);
        await copyString("hello\n", tls);
        assertEquals(await new BufReader(tls, { maxSize: 1024 }).line(), "olleh");
        await tls.close();
      }),
    { peers },
  );

  test(
    `tlsClient() shows openssl s_server who it is by TLS ${version}`,
    () =>
      withSServer([flag, "-rev", "-Verify", "1", "-CAfile", fixture("authority.crt")], async (connect) => {
        const tls = await connect({ certificate: certificate("client") });
        await copyString("hello\n", tls);
        assertEquals(await new BufReader(tls, { maxSize: 1024 }).line(), "olleh");
      }),
    { peers },
  );
}

for (const version of ["1.3", "1.2"]) {
  const flag = `-tls${version.replace(".", "_")}`;

  test(
    `close() of tlsClient() loses nothing that openssl s_server has yet to read by TLS ${version}`,
    () =>
      withSServer([flag, "-naccept", "1"], async (connect, peer) => {
        const tls = await connect({ linger: 10_000 });
        await copyString("x".repeat(300_000), tls);
        await tls.close();
        await peer.ended;
        assertEquals(/x{1000,}/.exec(peer.output)?.[0].length, 300_000);
      }),
    { peers },
  );
}

test(
  "tlsClient() learns from its first read that openssl s_server does not know who it is",
  () =>
    withSServer(
      ["-tls1_3", "-rev", "-Verify", "1", "-verify_return_error", "-CAfile", fixture("authority.crt")],
      async (connect) => {
        const tls = await connect({ certificate: certificate("stranger") });
        await assertRejects(() => tls.read(new Uint8Array(1)), TlsError);
      },
    ),
  { peers },
);

test(
  "tlsClient() gets the end from openssl s_server that takes its leave",
  () =>
    withSServer(["-www"], async (connect) => {
      const tls = await connect();
      await copyString("GET / HTTP/1.0\r\n\r\n", tls);
      assert(textOf(await readAll(tls)).startsWith("HTTP/1.0 200 ok\r\n"));
    }),
  { peers },
);

test(
  "tlsClient() does not take the death of openssl s_server for the end",
  () =>
    withSServer([], async (connect, peer) => {
      const tls = await connect();
      peer.say("hello\n");
      await tls.read(new Uint8Array(10));
      peer.kill("SIGKILL");
      const error = await assertRejects(() => tls.read(new Uint8Array(10)), TlsError);
      assertEquals(error.code, "truncated");
    }),
  { peers },
);

const page = "All is well. ".repeat(100_000);

async function serveHttp(tls: TlsConnection): Promise<void> {
  const reader = new BufReader(tls, { maxSize: 8192 });
  while (await reader.line() !== "");
  await copyString(`HTTP/1.1 200 OK\r\nContent-Length: ${page.length}\r\nConnection: close\r\n\r\n`, tls);
  await copyString(page, tls);
}

test("tlsServer() serves a page to curl", async () => {
  const errors = await withTlsServer(serveHttp, async ({ port }) => {
    const url = `https://127.0.0.1:${port}/`;
    await using peer = new Peer("curl", ["-sS", "--fail", "--cacert", fixture("authority.crt"), url]);
    assertEquals((await peer.ended).code, 0, peer.errors);
    assertEquals(peer.output, page);
  }, { protocols: ["http/1.1"] });
  assertEquals(errors, []);
}, { peers: ["curl"] });

test("curl refuses a tlsServer() whose certificate is not trusted", async () => {
  const errors = await withTlsServer(serveHttp, async ({ port }) => {
    await using peer = new Peer("curl", ["-sS", `https://127.0.0.1:${port}/`]);
    assertEquals((await peer.ended).code, 60, peer.errors);
  });
  assertEquals(errors.length, 1);
}, { peers: ["curl"] });
