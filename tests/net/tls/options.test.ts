// Copyright 2026 the Sluice authors. MIT license.
import { assertEquals, assertRejects } from "@std/assert";
import { createPrivateKey } from "node:crypto";
import { ClosedError, copyString, pipe, Switch } from "../../../mod.ts";
import { type TlsCertificate, tlsClient, TlsError, tlsServer } from "../../../net/tls/mod.ts";
import { test } from "../../_test.ts";
import { authority, certificate, clientOptions, securedPipe, serverOptions } from "./_helpers.ts";

type ErrorType = typeof TypeError | typeof RangeError | typeof SyntaxError;

const { chain, key } = certificate("localhost") as { chain: string; key: string };
const broken = (pem: string): string => pem.replace(/\n[^-\n]*\n/, "\n!\n");
const unreadable = "Cannot start TLS as a certificate in chain cannot be read";

/** A key that is encrypted. */
const locked = createPrivateKey(key).export({
  type: "pkcs8",
  format: "pem",
  cipher: "aes-256-cbc",
  passphrase: "secret",
}) as string;

const badCertificates: [string, Partial<TlsCertificate> | undefined, ErrorType, string][] = [
  ["nothing", undefined, TypeError, "Cannot start TLS as chain must be PEM: current value is undefined"],
  [
    "the key of another",
    { chain, key: certificate("other").key },
    TypeError,
    "Cannot start TLS as key must be that of the first certificate in chain: it is another one",
  ],
  ["a broken certificate", { chain: broken(chain), key }, SyntaxError, unreadable],
  ["a broken certificate after a good one", { chain: chain + broken(authority), key }, SyntaxError, unreadable],
  [
    "a key for a chain",
    { chain: key, key },
    SyntaxError,
    "Cannot start TLS as chain must be certificates in the PEM format",
  ],
  [
    "a chain for a key",
    { chain, key: chain },
    SyntaxError,
    "Cannot start TLS as key must be a private key in the PEM format",
  ],
  [
    "a broken key",
    { chain, key: broken(key) },
    SyntaxError,
    "Cannot start TLS as key cannot be read without a passphrase",
  ],
  [
    "a key that is locked",
    { chain, key: locked },
    SyntaxError,
    "Cannot start TLS as key cannot be read without a passphrase",
  ],
  [
    "a key with the passphrase of another",
    { chain, key: locked, passphrase: "wrong" },
    SyntaxError,
    "Cannot start TLS as key cannot be read with this passphrase",
  ],
];

for (const [what, bad, type, message] of badCertificates) {
  const certificate = bad as TlsCertificate;

  test(`tlsServer() refuses ${what} before it touches the flow`, () =>
    Switch.run(async (sw) => {
      const [flow, other] = pipe();
      await assertRejects(() => tlsServer(sw, flow, { certificate }), type, message);
      await copyString("x", other);
      assertEquals(await flow.read(new Uint8Array(1)), 1);
    }));

  test(`tlsServer() fails when it is asked to show ${what}, and closes`, () =>
    Switch.run(async (sw) => {
      const [a, b] = pipe();
      const client = assertRejects(() => tlsClient(sw, a, clientOptions), TlsError);
      await assertRejects(() => tlsServer(sw, b, { certificate: () => certificate }), type, message);
      await client;
      await assertRejects(() => b.read(new Uint8Array(1)), ClosedError);
    }));
}

test("tlsClient() refuses a certificate with the key of another before it touches the flow", () =>
  Switch.run(async (sw) => {
    const [flow, other] = pipe();
    const options = { ...clientOptions, certificate: { chain, key: certificate("other").key } };
    await assertRejects(() => tlsClient(sw, flow, options), TypeError, "it is another one");
    await copyString("x", other);
    assertEquals(await flow.read(new Uint8Array(1)), 1);
  }));

test("tlsClient() and tlsServer() refuse authorities that cannot be read before they touch the flow", () =>
  Switch.run(async (sw) => {
    const [flow, other] = pipe();
    const message = "Cannot start TLS as a certificate in authorities cannot be read";
    for (const authorities of [broken(authority), authority + broken(authority), [authority, broken(authority)]]) {
      await assertRejects(() => tlsClient(sw, flow, { ...clientOptions, authorities }), SyntaxError, message);
      await assertRejects(() => tlsServer(sw, flow, { ...serverOptions, authorities }), SyntaxError, message);
    }
    await assertRejects(() => tlsClient(sw, flow, { ...clientOptions, authorities: key }), SyntaxError);
    await copyString("x", other);
    assertEquals(await flow.read(new Uint8Array(1)), 1);
  }));

test("tlsServer() takes a key that is locked, with its passphrase", () =>
  Switch.run(async (sw) => {
    const [client] = await securedPipe(sw, {}, { certificate: { chain, key: locked, passphrase: "secret" } });
    assertEquals(client.peerCertificate?.subject, "CN=localhost");
  }));

test("tlsServer() finds the chain and the key in one file, with text around them", () =>
  Switch.run(async (sw) => {
    const file = `Schlüssel:\r\n${key}\r\nCertificate:\r\n${chain}`.replaceAll(/\r?\n/g, "\r\n");
    const pem = new TextEncoder().encode(file);
    const [client] = await securedPipe(sw, { authorities: `# ours\n${authority}` }, {
      certificate: { chain: pem, key: pem },
    });
    assertEquals(client.peerCertificate?.subject, "CN=localhost");
  }));

const badProtocols: [string, unknown, ErrorType][] = [
  ["a string", "h2", TypeError],
  ["null", null, TypeError],
  ["an array with a hole", [, "h2"], TypeError],
  ["an empty name", [""], RangeError],
  ["a name of 256 bytes", ["x".repeat(256)], RangeError],
  ["a name beyond ASCII", ["é"], SyntaxError],
  ["a name with a control character", ["h2\n"], SyntaxError],
];

for (const [what, bad, type] of badProtocols) {
  test(`tlsClient() and tlsServer() refuse ${what} for protocols before they touch the flow`, () =>
    Switch.run(async (sw) => {
      const [flow, other] = pipe();
      const protocols = bad as string[];
      await assertRejects(() => tlsClient(sw, flow, { ...clientOptions, protocols }), type);
      await assertRejects(() => tlsServer(sw, flow, { ...serverOptions, protocols }), type);
      await copyString("x", other);
      assertEquals(await flow.read(new Uint8Array(1)), 1);
    }));
}

test("tlsClient() and tlsServer() agree on a protocol whose name takes 255 bytes", () =>
  Switch.run(async (sw) => {
    const protocols = [` ~${"x".repeat(253)}`];
    const [client, server] = await securedPipe(sw, { protocols }, { protocols });
    assertEquals([client.protocol, server.protocol], [protocols[0], protocols[0]]);
  }));
