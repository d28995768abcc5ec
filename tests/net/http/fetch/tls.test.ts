// Copyright 2026 the Sluice authors. MIT license.

/** HTTPS. */
import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { acceptFork, copyString, first, NetError, Switch, tcp, type TwoWay } from "../../../../mod.ts";
import { createFetch, type FetchFunction, type FetchOptions } from "../../../../net/http/mod.ts";
import { memoryNet, type MockClock, mockClock } from "../../../../net/testing/mod.ts";
import { type TlsConnection, TlsError, tlsServer, type TlsServerOptions } from "../../../../net/tls/mod.ts";
import { outcomeOf, turns } from "../../../_helpers.ts";
import { test } from "../../../_test.ts";
import { authority, certificate, serverOptions } from "../../tls/_helpers.ts";
import { reply } from "./_site.ts";

/** Runs `fn` with a fetch of a TLS server on port 443 of `localhost`. */
function withTls(
  serve: (connection: TlsConnection, carrier: TwoWay & { abort(): void }) => Promise<void>,
  fn: (fetch: FetchFunction, clock: MockClock) => Promise<void>,
  server: Partial<TlsServerOptions> = {},
  options: FetchOptions = { tls: { authorities: authority } },
): Promise<void> {
  const clock = mockClock();
  const net = memoryNet({ clock, hosts: { localhost: ["127.0.0.1"], "localhost.": ["127.0.0.1"] } });
  return Switch.run(async (outer) => {
    const listener = await net.listen(outer, tcp("127.0.0.1", 443));
    const serveAll = () =>
      Switch.run(async (sw): Promise<never> => {
        for (;;) {
          await acceptFork(sw, listener, async (socket) => {
            const connection = await tlsServer(sw, socket, { ...serverOptions, clock, ...server });
            await serve(connection, socket);
            await connection.close();
          }, { onError: () => {} });
        }
      });
    await first(() => Switch.run((sw) => fn(createFetch(sw, net, options), clock)), serveAll);
  });
}

const buffer = () => new Uint8Array(4096);

test("fetch() speaks TLS with the name of the URL and the protocol http/1.1", () => {
  const seen: unknown[] = [];
  return withTls(async (connection) => {
    while (await connection.read(buffer()) !== null) {
      seen.push(connection.protocol);
      await copyString(reply("secret"), connection);
    }
  }, async (fetch) => {
    for (const url of ["https://localhost/", "https://localhost./", "https://LOCALHOST:443/"]) {
      assertEquals(await (await fetch(url)).text(), "secret");
    }
    assertEquals(seen, ["http/1.1", "http/1.1", "http/1.1"]);
  }, { protocols: ["h2", "http/1.1"] });
});

test("fetch() rejects a certificate that is not trusted", () =>
  withTls(
    async () => {},
    async (fetch) => {
      const error = await assertRejects(
        () => fetch("https://localhost/"),
        TypeError,
        "Cannot fetch from https://localhost: ",
      );
      assertInstanceOf(error.cause, TlsError);
    },
    {},
    {},
  ));

test("fetch() rejects a certificate with another name", () =>
  withTls(async () => {}, async (fetch) => {
    const error = await assertRejects(() => fetch("https://localhost/"), TypeError);
    assertInstanceOf(error.cause, TlsError);
    assertEquals(error.cause.code, "name_mismatch");
  }, { certificate: certificate("other") }));

test("connectTimeout bounds the handshake", () => {
  const clock = mockClock();
  const net = memoryNet({ clock });
  return Switch.run(async (sw) => {
    const listener = await net.listen(sw, tcp("127.0.0.1", 443));
    const fetch = createFetch(sw, net, { connectTimeout: 3000 });
    const outcome = outcomeOf(() => fetch("https://127.0.0.1/"));
    const socket = await listener.accept(sw);
    await socket.read(buffer()); // the ClientHello
    clock.setTime(3000);
    const error = await outcome as TypeError;
    assertInstanceOf(error.cause, NetError);
    assertEquals([error.cause.code, error.cause.context.at(-1)], ["connection_timeout", "connectTimeout: 3000 ms"]);
    socket.abort();
  });
});

test("a body until the end of the connection is truncated without close_notify", () =>
  withTls(async (connection, carrier) => {
    await connection.read(buffer());
    await copyString("HTTP/1.1 200 OK\r\n\r\nhello", connection);
    await turns(5); // until the records are sent
    await (carrier as TwoWay).shutdown("send");
    await carrier.read(buffer());
  }, async (fetch) => {
    const response = await fetch("https://localhost/");
    const error = await assertRejects(() => response.text(), TypeError);
    assertInstanceOf(error.cause, TlsError);
    assertEquals(error.cause.code, "truncated");
  }));

test("fetch() repeats a request on a new connection, after a kept one ended without close_notify", () => {
  let connections = 0;
  return withTls(async (connection, carrier) => {
    const count = ++connections;
    await connection.read(buffer());
    await copyString(reply(`${count}`), connection);
    if (count > 1) return;
    await connection.read(buffer());
    await (carrier as TwoWay).shutdown("send");
  }, async (fetch) => {
    assertEquals(await (await fetch("https://localhost/")).text(), "1");
    assertEquals(await (await fetch("https://localhost/")).text(), "2");
  });
});
