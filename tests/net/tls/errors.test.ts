// Copyright 2026 the Sluice authors. MIT license.
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  Cancelled,
  ClosedError,
  copyString,
  first,
  NetError,
  pipe,
  readExact,
  Switch,
  type TwoWay,
  yieldNow,
} from "../../../mod.ts";
import { mockClock, openCounts, socketPair } from "../../../net/testing/mod.ts";
import { tlsClient, type TlsClientOptions, TlsError, type TlsErrorCode } from "../../../net/tls/mod.ts";
import { type TlsCertificate, tlsServer, type TlsServerOptions } from "../../../net/tls/mod.ts";
import { outcomeOf } from "../../_helpers.ts";
import { thisRuntime } from "../../_runtimes.ts";
import { test } from "../../_test.ts";
import { descriptors, descriptorsBack } from "../../runtime/_helpers.ts";
import { withSockets } from "../_helpers.ts";
import { authority, certificate, clientOptions, secured, securedPipe, serverOptions } from "./_helpers.ts";

/** Returns the errors of both sides of a failing handshake, which closes both flows. */
async function failures(
  client: Partial<TlsClientOptions>,
  server: Partial<TlsServerOptions> = {},
): Promise<[unknown, unknown]> {
  const [a, b] = pipe();
  const outcomes = await Switch.run((sw) =>
    Promise.all([
      outcomeOf(async () => {
        const flow = await tlsClient(sw, a, { ...clientOptions, ...client });
        await flow.read(new Uint8Array(1)); // with TLS 1.3, a client learns of a refusal only by reading
      }),
      outcomeOf(() => tlsServer(sw, b, { ...serverOptions, ...server })),
    ])
  );
  for (const end of [a, b]) await assertRejects(() => end.write(new Uint8Array(1)), ClosedError);
  return outcomes as [unknown, unknown];
}

function assertCode(error: unknown, code: TlsErrorCode): void {
  assert(error instanceof TlsError, String(error));
  assertEquals([error.code, error.message], [code, error.message]);
}

test("tlsClient() refuses a certificate of a stranger", async () => {
  const [error] = await failures({}, { certificate: certificate("stranger") });
  assertCode(error, "certificate_untrusted");
});

test("tlsClient() refuses a certificate that none of the runtime's authorities knows", async () => {
  const [error] = await failures({ authorities: undefined });
  assertCode(error, "certificate_untrusted");
  assertEquals(
    String(error),
    "TlsError: Cannot start TLS with pipe: the certificate of the other side is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
  );
});

test("tlsClient() refuses a certificate that has expired", async () => {
  const [error] = await failures({}, { certificate: certificate("expired") });
  assertCode(error, thisRuntime().name === "deno" ? "certificate_untrusted" : "certificate_expired");
});

for (const serverName of ["example.com", "localhost.example.com", "127.0.0.2", "::2"]) {
  test(`tlsClient() refuses a certificate that does not name ${serverName}`, async () => {
    const [error] = await failures({ serverName });
    assertCode(error, "name_mismatch");
  });
}

test("tlsServer() with authorities refuses a client without a certificate, and the client learns of it", async () => {
  const [client, server] = await failures({}, { authorities: authority });
  assertCode(server, "certificate_untrusted");
  assert(client instanceof TlsError, String(client));
});

test("tlsServer() with authorities refuses a stranger, and the client learns of it", async () => {
  const [client, server] = await failures({ certificate: certificate("stranger") }, { authorities: authority });
  assertCode(server, "certificate_untrusted");
  assert(client instanceof TlsError, String(client));
});

test("tlsServer() with authorities refuses a client whose certificate has expired", async () => {
  const [, server] = await failures({ certificate: certificate("expired") }, { authorities: authority });
  assertCode(server, thisRuntime().name === "deno" ? "certificate_untrusted" : "certificate_expired");
});

test("tlsClient() and tlsServer() fail where they have no protocol in common", async () => {
  const [client, server] = await failures({ protocols: ["a"] }, { protocols: ["b"] });
  assert(client instanceof TlsError, String(client));
  assertCode(server, "protocol");
});

const greetings: Record<string, number[]> = {
  "plaintext": [...new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n")],
  "bytes that mean nothing": Array(70).fill(0x80),
  "a record of nothing": [22, 3, 1, 0, 0, ...Array(70).fill(0)],
  "a message that is cut short inside": [22, 3, 1, 0, 5, 1, 0, 0, 1, 0],
  "a message of 16 MiB": [22, 3, 1, 0, 4, 1, 255, 255, 255],
};

for (const [what, greeting] of Object.entries(greetings)) {
  test(`tlsServer() refuses a client that sends ${what}, and closes`, () =>
    Switch.run(async (sw) => {
      const [flow, other] = pipe();
      await other.write(Uint8Array.from(greeting));
      await other.shutdown("send");
      const certificate = (name: string | undefined) => {
        assertEquals(name, undefined);
        return serverOptions.certificate as TlsCertificate;
      };
      const error = await assertRejects(() => tlsServer(sw, flow, { certificate }), TlsError);
      assertEquals(["protocol", "truncated"].includes(error.code), true);
      await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
    }));
}

test("tlsClient() refuses a server that speaks in plaintext, and closes", () =>
  Switch.run(async (sw) => {
    const [flow, other] = pipe();
    await copyString("220 smtp.example.com ESMTP\r\n", other);
    assertCode(await assertRejects(() => tlsClient(sw, flow, clientOptions)), "protocol");
    await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
  }));

for (const [side, start] of sides()) {
  test(`${side}() fails when the connection ends in the handshake`, () =>
    Switch.run(async (sw) => {
      const [flow, other] = pipe();
      await other.close();
      assert(await assertRejects(() => start(sw, flow)) instanceof Error);
      await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
    }));

  test(`${side}() fails as the flow does when that breaks in the handshake`, () =>
    Switch.run(async (sw) => {
      const [flow, other] = socketPair();
      const starting = assertRejects(() => start(sw, flow), NetError);
      await yieldNow();
      other.abort();
      assertEquals((await starting).code, "connection_reset");
    }));

  test(`${side}() gives up after the handshake timeout, and closes`, () =>
    Switch.run(async (sw) => {
      const clock = mockClock();
      const [flow] = pipe();
      const starting = assertRejects(() => start(sw, flow, { clock, handshakeTimeout: 500 }), TlsError);
      await yieldNow();
      await assertRejects(() => flow.read(new Uint8Array(1))); // busy: it is still in use
      clock.advance();
      assertCode(await starting, "handshake_timeout");
      await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
    }));

  test(`${side}() that is cancelled in the handshake closes the flow`, () =>
    Switch.run(async (sw) => {
      const [flow] = pipe();
      await first(() => start(sw, flow).then(() => {}), () => yieldNow());
      await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
    }));

  test(`${side}() is given up when its switch ends, and closes the flow`, async () => {
    const [flow] = pipe();
    const { promise: owner, resolve: own } = Promise.withResolvers<Switch>();
    const starting = owner.then((sw) => assertRejects(() => start(sw, flow), TypeError));
    await Switch.run(async (sw) => {
      own(sw);
      await yieldNow();
    });
    await starting;
    await assertRejects(() => flow.read(new Uint8Array(1)), ClosedError);
  });

  test(`${side}() for a switch that is cancelled leaves the flow alone`, async () => {
    const [flow, other] = pipe();
    const reason = new Error("Cancelled by the test");
    await assertRejects(() =>
      Switch.run(async (sw) => {
        sw.fail(reason);
        await assertRejects(() => start(sw, flow), Cancelled);
      })
    );
    await copyString("x", other);
    assertEquals(await flow.read(new Uint8Array(1)), 1);
  });
}

function sides(): [string, (sw: Switch, flow: TwoWay, options?: object) => Promise<unknown>][] {
  return [
    ["tlsClient", (sw, flow, options) => tlsClient(sw, flow, { ...clientOptions, ...options })],
    ["tlsServer", (sw, flow, options) => tlsServer(sw, flow, { ...serverOptions, ...options })],
  ];
}

test("tlsClient() refuses bad arguments before it touches the flow", () =>
  Switch.run(async (sw) => {
    const [flow, other] = pipe();
    const refused = async (options: object, type: typeof TypeError | typeof RangeError | typeof SyntaxError) => {
      await assertRejects(() => tlsClient(sw, flow, { ...clientOptions, ...options } as TlsClientOptions), type);
    };
    await refused({ serverName: "" }, SyntaxError);
    await refused({ serverName: "a b" }, SyntaxError);
    await refused({ serverName: undefined }, TypeError);
    await refused({ authorities: [] }, RangeError);
    await refused({ authorities: "" }, SyntaxError);
    await refused({ authorities: 1 }, TypeError);
    await refused({ certificate: { chain: authority } }, TypeError);
    await refused({ verification: "off" }, TypeError);
    await refused({ protocols: [""] }, RangeError);
    await refused({ protocols: [1] }, TypeError);
    await refused({ handshakeTimeout: -1 }, RangeError);
    await refused({ linger: "1" }, TypeError);
    await assertRejects(() => tlsClient(sw, {} as TwoWay, clientOptions), TypeError);
    await copyString("x", other);
    assertEquals(await flow.read(new Uint8Array(1)), 1);
  }));

test("read() of a connection that was cut without close_notify is truncated, after what came before", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const [client, server] = await secured(sw, [a, b]);
    await copyString("all of it?", server);
    await yieldNow(); // it is in the pipe
    await b.close(); // as a man in the middle would
    await readExact(client, new Uint8Array(10));
    for (let i = 0; i < 2; i++) assertCode(await assertRejects(() => client.read(new Uint8Array(1))), "truncated");
  }));

test("read() of a connection that the other side has aborted is an error, and no end", () =>
  Switch.run(async (sw) => {
    const [client, server] = await securedPipe(sw);
    server.abort();
    await assertRejects(() => client.read(new Uint8Array(1)), TlsError);
  }));

test("read() and write() fail as the flow does when that breaks", () =>
  Switch.run(async (sw) => {
    const [a, b] = socketPair();
    const [client] = await secured(sw, [a, b]);
    b.abort();
    assertEquals((await assertRejects(() => client.read(new Uint8Array(1)), NetError)).code, "connection_reset");
    const write = async () => {
      for (;;) await copyString("x", client);
    };
    assertEquals((await assertRejects(write, NetError)).code, "connection_reset");
  }));

test("read() refuses what was tampered with", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    let tamper = false;
    const tampering: TwoWay = {
      read: async (buffer) => {
        const count = await a.read(buffer);
        if (tamper && count !== null) buffer[count - 1] ^= 1;
        return count;
      },
      write: (bytes) => a.write(bytes),
      shutdown: (how) => a.shutdown(how),
    };
    const [client, server] = await secured(sw, [tampering, b]);
    await copyString("hello", server);
    await readExact(client, new Uint8Array(5));
    tamper = true;
    await copyString("hello", server);
    assertCode(await assertRejects(() => client.read(new Uint8Array(1))), "protocol");
  }));

test("close() of a TLS connection does not wait for a peer that reads nothing longer than it lingers", () =>
  Switch.run(async (sw) => {
    const clock = mockClock();
    const [client] = await secured(sw, pipe({ capacity: 2000 }), { clock, linger: 100 });
    await client.write(new Uint8Array(60_000));
    const closing = client.close();
    await yieldNow();
    clock.advance();
    await closing;
  }));

test("tlsClient() and tlsServer() leave nothing behind after 100 handshakes that failed", async () => {
  const attempt = () =>
    withSockets(async ({ client, server }, sw) => {
      await Promise.all([
        assertRejects(() => tlsClient(sw, client, { ...clientOptions, serverName: "example.com" }), TlsError),
        assertRejects(async () => {
          const flow = await tlsServer(sw, server, serverOptions); // resolved, if the client completes its part first
          await flow.read(new Uint8Array(1)).then(() => assertStrictEquals(0, 1));
        }),
      ]);
      assertEquals(openCounts().sockets, 0);
    });
  await attempt();
  const before = descriptors();
  for (let i = 0; i < 100; i++) await attempt();
  await descriptorsBack(before);
});
