// Copyright 2026 the Sluice authors. MIT license.
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { createHash, X509Certificate } from "node:crypto";
import { all, copyString, pipe, readAll, Switch } from "../../../mod.ts";
import { tlsClient, TlsError, tlsServer } from "../../../net/tls/mod.ts";
import { textOf } from "../../_helpers.ts";
import { test } from "../../_test.ts";
import { authority, certificate, clientOptions, secured, securedPipe, serverOptions } from "./_helpers.ts";

/** Returns the first line of the certificate subject that the client receives. */
async function seen(serverName: string, server: Parameters<typeof securedPipe>[2]): Promise<string | undefined> {
  return await Switch.run(async (sw) => {
    const [client] = await securedPipe(sw, { serverName, verification: "dangerously-off" }, server);
    return client.peerCertificate?.subject;
  });
}

test("tlsClient() and tlsServer() carry bytes, which are encrypted on the wire", async () => {
  await Switch.run(async (sw) => {
    const [a, b] = pipe();
    const wire: Uint8Array[] = [];
    const tap = {
      read: async (buffer: Uint8Array) => {
        const count = await b.read(buffer);
        if (count !== null) wire.push(buffer.slice(0, count));
        return count;
      },
      write: (bytes: Uint8Array) => b.write(bytes),
      shutdown: (how: "send" | "receive" | "all") => b.shutdown(how),
    };
    const [client, server] = await secured(sw, [a, tap]);
    await copyString("open sesame", client);
    await client.close();
    assertEquals(textOf(await readAll(server)), "open sesame");
    const sent = wire.map((bytes) => String.fromCharCode(...bytes)).join("");
    assertEquals([sent.includes("localhost"), sent.includes("open sesame")], [true, false]);
  });
});

test("tlsClient() returns the server's certificate and the version of TLS", () =>
  Switch.run(async (sw) => {
    const [client, server] = await securedPipe(sw);
    const shown = client.peerCertificate;
    assertEquals([shown?.subject, shown?.issuer], ["CN=localhost", "CN=Sluice tests"]);
    assertEquals(shown?.validFrom.toISOString(), "2020-01-01T00:00:00.000Z");
    assertEquals(shown?.validTo.toISOString(), "2120-01-01T00:00:00.000Z");
    const der = new X509Certificate(certificate("localhost").chain).raw;
    assertEquals(shown?.der, new Uint8Array(der));
    const digest = createHash("sha256").update(der).digest("hex").toUpperCase();
    assertEquals(shown?.fingerprint.replaceAll(":", ""), digest);
    assertEquals([client.version, server.version], ["TLSv1.3", "TLSv1.3"]);
    assertEquals([client.serverName, server.serverName], ["localhost", "localhost"]);
    assertEquals(server.peerCertificate, undefined);
  }));

test("tlsClient() and tlsServer() agree on the server's first protocol that the client names", () =>
  Switch.run(async (sw) => {
    const [client, server] = await securedPipe(sw, { protocols: ["a", "b", "c"] }, { protocols: ["x", "c", "b"] });
    assertEquals([client.protocol, server.protocol], ["c", "c"]);
  }));

test("tlsClient() and tlsServer() agree on no protocol where one of them names none", () =>
  Switch.run(async (sw) => {
    for (const [ours, theirs] of [[["a"], undefined], [undefined, ["a"]], [undefined, undefined]]) {
      const [client, server] = await securedPipe(sw, { protocols: ours }, { protocols: theirs });
      assertEquals([client.protocol, server.protocol], [undefined, undefined]);
    }
  }));

test("tlsClient() verifies IP addresses, and then sends no server name", () =>
  Switch.run(async (sw) => {
    for (const serverName of ["127.0.0.1", "::1"]) {
      const [client, server] = await securedPipe(sw, { serverName });
      assertEquals([client.serverName, server.serverName], [serverName, undefined]);
    }
  }));

test("tlsServer() shows the certificate of the name that the client asks for", async () => {
  const asked: (string | undefined)[] = [];
  const byName = async (name: string | undefined) => {
    asked.push(name);
    await Promise.resolve();
    return certificate(name === "other.test" ? "other" : "localhost");
  };
  assertEquals(await seen("Other.TEST", { certificate: byName }), "CN=other");
  assertEquals(await seen("localhost", { certificate: byName }), "CN=localhost");
  assertEquals(await seen("127.0.0.1", { certificate: byName }), "CN=localhost");
  assertEquals(asked, ["other.test", "localhost", undefined]);
});

test("tlsServer() shows a new certificate from the next handshake on, and open connections go on", () =>
  Switch.run(async (sw) => {
    let current = certificate("localhost");
    const server = { certificate: () => current };
    const [old, oldServer] = await securedPipe(sw, {}, server);
    current = certificate("renewed");
    const [renewed] = await securedPipe(sw, {}, server);
    assertEquals([old, renewed].map((flow) => flow.peerCertificate?.subject), ["CN=localhost", "CN=renewed"]);
    await copyString("still here", oldServer);
    assertEquals(await old.read(new Uint8Array(20)), 10);
  }));

test("tlsServer() asks for no certificate in vain: what the function throws is thrown", async () => {
  const failure = new Error("Cannot find a certificate");
  await Switch.run(async (sw) => {
    const [a, b] = pipe();
    const client = assertRejects(() => tlsClient(sw, a, clientOptions), TlsError);
    const certificate = () => Promise.reject(failure);
    assertStrictEquals(await assertRejects(() => tlsServer(sw, b, { certificate })), failure);
    await client;
  });
});

test("tlsServer() with authorities returns the client's certificate", () =>
  Switch.run(async (sw) => {
    const [, server] = await securedPipe(sw, { certificate: certificate("client") }, { authorities: [authority] });
    assertEquals(server.peerCertificate?.subject, "CN=client");
    assertEquals(server.peerCertificate?.der, new Uint8Array(new X509Certificate(certificate("client").chain).raw));
  }));

test("tlsServer() with authorities and a certificate by name still verifies the client", () =>
  Switch.run(async (sw) => {
    const options = { certificate: () => certificate("localhost"), authorities: authority };
    const [, server] = await securedPipe(sw, { certificate: certificate("client") }, options);
    assertEquals(server.peerCertificate?.subject, "CN=client");
  }));

test("tlsClient() accepts any certificate if verification is dangerously off", async () => {
  assertEquals(await seen("localhost", { certificate: certificate("stranger") }), "CN=stranger");
  assertEquals(await seen("localhost", { certificate: certificate("expired") }), "CN=expired");
  assertEquals(await seen("example.com", {}), "CN=localhost");
});

test("tlsClient() accepts keys and certificates as bytes too", () =>
  Switch.run(async (sw) => {
    const bytes = (text: string | Uint8Array) => new TextEncoder().encode(String(text));
    const { chain, key } = certificate("localhost");
    await securedPipe(sw, { authorities: bytes(authority) }, { certificate: { chain: bytes(chain), key: bytes(key) } });
  }));

test("tlsClient() reads what came together with the end of the handshake", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const [client] = await all([
      () => tlsClient(sw, a, clientOptions),
      async () => {
        const server = await tlsServer(sw, b, serverOptions);
        await copyString("220 ready", server);
        await server.close();
      },
    ]);
    assertEquals(textOf(await readAll(client)), "220 ready");
  }));

test("tlsServer() answers a request that came together with the client's farewell", () =>
  Switch.run(async (sw) => {
    const [client, server] = await securedPipe(sw);
    await copyString("ping", client);
    await client.shutdown("send");
    assertEquals(await server.read(new Uint8Array(10)), 4);
    await copyString("pong", server);
    await server.close();
    assertEquals(textOf(await readAll(client)), "pong");
  }));

test("tlsClient() and tlsServer() run over each other, three deep", () =>
  Switch.run(async (sw) => {
    const [client, server] = await secured(sw, await secured(sw, await securedPipe(sw)));
    await copyString("deep", client);
    await client.close();
    assertEquals(textOf(await readAll(server)), "deep");
  }));

test("close() of a TLS connection closes the flow under it, once", async () => {
  await Switch.run(async (sw) => {
    const [a, b] = pipe();
    let closes = 0;
    const watched = {
      read: (buffer: Uint8Array) => a.read(buffer),
      write: (bytes: Uint8Array) => a.write(bytes),
      shutdown: (how: "send" | "receive" | "all") => a.shutdown(how),
      close: () => (closes++, a.close()),
      [Symbol.asyncDispose]: () => a.close(),
    };
    const [client] = await secured(sw, [watched, b]);
    await client.close();
    assertEquals(closes, 1);
  });
});

test("a TLS connection closes with its switch, and sends close_notify", () =>
  Switch.run(async (outer) => {
    const [a, b] = pipe();
    const server = await Switch.run(async (sw) => {
      const [client, server] = await all([
        () => tlsClient(sw, a, clientOptions),
        () => tlsServer(outer, b, serverOptions),
      ]);
      await copyString("bye", client);
      return server;
    });
    assertEquals(textOf(await readAll(server)), "bye");
  }));

test("a TLS connection is in the dump of its switch", () =>
  Switch.run(async (sw) => {
    await securedPipe(sw);
    assert(sw.dump().includes("TLS with localhost"), sw.dump());
  }));
