// Copyright 2026 the Sluice authors. MIT license.

/** Server names, and the peer's name in errors. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { all, copyString, pipe, readAll, Switch, tcp, type TwoWay, unix } from "../../../mod.ts";
import { socketPair } from "../../../net/testing/mod.ts";
import { tlsClient, type TlsClientOptions, TlsError, tlsServer } from "../../../net/tls/mod.ts";
import { thisRuntime } from "../../_runtimes.ts";
import { test } from "../../_test.ts";
import { withSockets } from "../_helpers.ts";
import { certificate, clientOptions, secured, securedPipe, serverOptions } from "./_helpers.ts";

test("tlsClient() sends and verifies the name without its trailing dot", () =>
  Switch.run(async (sw) => {
    const asked: (string | undefined)[] = [];
    const byName = (name: string | undefined) => {
      asked.push(name);
      return certificate("localhost");
    };
    const [client, server] = await securedPipe(sw, { serverName: "localhost." }, { certificate: byName });
    assertEquals([asked, client.serverName, server.serverName], [["localhost"], "localhost", "localhost"]);
  }));

/** Returns the ClientHello with a server name. */
function hello(name: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(name);
  const sized = (bytes: number[]) => [bytes.length >> 8, bytes.length & 255, ...bytes];
  const extension = sized([0, ...sized([...text])]);
  const extensions = sized([0, 0, ...sized(extension)]);
  const body = [3, 3, ...Array(32).fill(0), 0, 0, 2, 0x13, 0x01, 1, 0, ...extensions];
  return Uint8Array.from([22, 3, 1, ...sized([1, 0, ...sized(body)])]);
}

test("tlsServer() asks for the certificate of a name without the trailing dot that a client sends", () =>
  Switch.run(async (sw) => {
    for (
      const [sent, expected] of [["Example.COM.", "example.com"], ["example.com", "example.com"], [".", undefined]]
    ) {
      const [a, b] = pipe();
      await a.write(hello(sent as string));
      await a.shutdown("send");
      let asked: string | undefined = "not asked";
      const byName = (name: string | undefined) => {
        asked = name;
        return certificate("localhost");
      };
      await assertRejects(() => tlsServer(sw, b, { certificate: byName }), TlsError);
      assertEquals(asked, expected);
    }
  }));

const notOnlyNames = [
  "",
  "example.com:443",
  "http://example.com",
  "https://example.com/path",
  "[::1]",
  "[::1]:443",
  "user@example.com",
  "example.com/",
  "example.com?x",
  " example.com",
  "::1::",
];

for (const serverName of notOnlyNames) {
  test(`tlsClient() says of serverName ${JSON.stringify(serverName)} that it is to be a name`, () =>
    Switch.run(async (sw) => {
      const [flow, other] = pipe();
      await assertRejects(
        () => tlsClient(sw, flow, { ...clientOptions, serverName }),
        SyntaxError,
        `Cannot start TLS with serverName ${JSON.stringify(serverName)}: it must be a name, not a URL; without a port`,
      );
      await copyString("x", other);
      assertEquals(await flow.read(new Uint8Array(1)), 1);
    }));
}

test("tlsClient() refuses a serverName that cannot be a host name in the words of hostAddress()", () =>
  Switch.run(async (sw) => {
    for (const serverName of ["bücher.example", "-a.example", "a..b", "127.1"]) {
      const [flow, other] = pipe();
      const error = await assertRejects(() => tlsClient(sw, flow, { ...clientOptions, serverName }), SyntaxError);
      assert(error.message.startsWith(`Cannot start TLS with serverName "${serverName}": cannot use `), error.message);
      await copyString("x", other);
      assertEquals(await flow.read(new Uint8Array(1)), 1);
    }
  }));

/** Returns the client's error, if the server's certificate is for localhost. */
async function failure(client: Partial<TlsClientOptions>): Promise<TlsError> {
  return await Switch.run(async (sw) => {
    const [a, b] = socketPair({ peer: tcp("192.0.2.1", 443) });
    const serving = tlsServer(sw, b, serverOptions).then((tls) => readAll(tls)).catch(() => {});
    const error = await assertRejects(() => tlsClient(sw, a, { ...clientOptions, ...client }), TlsError);
    await serving;
    return error;
  });
}

test("TlsError of tlsClient() names the peer", async () => {
  const error = await failure({ authorities: undefined });
  assertEquals(error.peer, tcp("192.0.2.1", 443));
  assert(error.message.startsWith("Cannot start TLS with tcp:192.0.2.1:443: the certificate"), error.message);
});

test("TlsError of a name that does not match has the name expected and those of the certificate", async () => {
  const { message } = await failure({ serverName: "example.com" });
  assert(message.includes(": expected example.com, but it names localhost, 127.0.0.1, "), message);
});

test("TlsError shows the first names of a certificate, escaped and cut", () => {
  const certificateNames = ["a\n\u001b[31m.example", "x".repeat(300), "c", "d", "e"];
  const { message } = new TlsError("name_mismatch", "start TLS with", undefined, {
    certificateNames,
    expectedName: "b",
  });
  assert(message.endsWith("x... and 2 more"), message);
  assert(message.includes(": expected b, but it names a\\u{a}\\u{1b}[31m.example, xxx"), message);
  assert(message.length < 400, message);
});

test("TlsError says of a certificate without names that it names nothing", () => {
  const { message } = new TlsError("name_mismatch", "start TLS with", undefined, { certificateNames: [] });
  assert(message.endsWith("expected another name, but it names nothing"), message);
});

test("TlsError of a flow without an address has the name of the flow, or says that it has none", () =>
  Switch.run(async (sw) => {
    for (const name of ["pipe", "an unnamed flow"]) {
      const [a, b] = pipe();
      const bare: TwoWay = {
        read: (buffer) => a.read(buffer),
        write: (bytes) => a.write(bytes),
        shutdown: (how) => a.shutdown(how),
      };
      const [client] = await secured(sw, [name === "pipe" ? a : bare, b]);
      await b.close();
      const error = await assertRejects(() => client.read(new Uint8Array(1)), TlsError);
      assertEquals(error.peer, name);
      assertEquals(error.message, `Cannot read from ${name}: the connection was cut without close_notify`);
    }
  }));

test("a TLS connection has the addresses of the flow under it", () =>
  withSockets(async ({ client, server }, sw) => {
    const [a, b] = await secured(sw, [client, server]);
    assertEquals([a.local, a.peer], [client.local, client.peer]);
    assertEquals([b.local, b.peer], [server.local, server.peer]);
    const [inner] = await secured(sw, [a, b]);
    assertEquals([inner.local, inner.peer], [client.local, client.peer]);
  }));

test("a TLS connection over a flow without addresses has unnamed ones", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const odd = { read: a.read.bind(a), write: a.write.bind(a), shutdown: a.shutdown.bind(a), peer: 1, local: null };
    const [client, server] = await secured(sw, [odd, b]);
    for (const { local, peer } of [client, server]) assertEquals([local, peer], [unix(""), unix("")]);
  }));

/** Whether the engine includes frames of awaiting functions in a stack. */
const showsFrames = thisRuntime().name !== "bun";

for (const what of ["tlsClient", "tlsServer", "read", "write"]) {
  test(`the error of a ${what} over TLS has a frame of its caller`, () =>
    Switch.run(async (sw) => {
      const [a, b] = socketPair();
      const broken = async (): Promise<() => Promise<unknown>> => {
        if (what === "tlsClient") return () => tlsClient(sw, a, clientOptions);
        if (what === "tlsServer") return () => tlsServer(sw, a, serverOptions);
        const [client] = await secured(sw, [a, b]);
        if (what === "read") return () => client.read(new Uint8Array(1));
        return async () => {
          for (;;) await client.write(new Uint8Array(60_000));
        };
      };
      const operation = await broken();
      async function theCaller(): Promise<void> {
        await operation();
      }
      const [error] = await all([
        () => assertRejects(theCaller, Error),
        async () => {
          for (let i = 0; i < 5; i++) await Promise.resolve();
          b.abort();
        },
      ]);
      if (showsFrames) assert(error.stack?.includes("theCaller"), error.stack);
    }));
}
