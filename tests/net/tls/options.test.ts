// Copyright 2026 the Sluice authors. MIT license.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createPrivateKey } from "node:crypto";
import { ClosedError, copyString, pipe, readAll, Switch, type TwoWay, yieldNow } from "../../../mod.ts";
import { type TlsCertificate, tlsClient, type TlsClientOptions, TlsError, tlsServer } from "../../../net/tls/mod.ts";
import { test } from "../../_test.ts";
import { authority, certificate, clientOptions, secured, securedPipe, serverOptions } from "./_helpers.ts";

type ErrorType = typeof TypeError | typeof RangeError | typeof SyntaxError;

const { chain, key } = certificate("localhost") as { chain: string; key: string };
const broken = (pem: string): string => pem.replace(/\n[^-\n]*\n/, "\n!\n");
const unreadable = "Cannot start TLS as a certificate in chain cannot be read";

/** An encrypted key. */
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

test("tlsServer() accepts an encrypted key with its passphrase", () =>
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

test("tlsClient() and tlsServer() agree on a protocol whose name has 255 bytes", () =>
  Switch.run(async (sw) => {
    const protocols = [` ~${"x".repeat(253)}`];
    const [client, server] = await securedPipe(sw, { protocols }, { protocols });
    assertEquals([client.protocol, server.protocol], [protocols[0], protocols[0]]);
  }));

const endless = "\n\u001b[31mFAKE LOG LINE ".repeat(50_000);

const endlessOptions: [string, unknown][] = [
  ["protocols", [endless]],
  ["protocols", endless],
  ["protocols", [{ toString: () => endless }]],
  ["serverName", endless],
  ["serverName", { toString: () => endless }],
  ["verification", endless],
  ["authorities", { toString: () => endless }],
  ["certificate", { chain: { toString: () => endless }, key }],
  ["certificate", { chain, key: { toString: () => endless } }],
  ["closeNotify", endless],
  ["clock", endless],
];

test("tlsClient() refuses wrong values in a short and escaped message, and leaves the flow alone", () =>
  Switch.run(async (sw) => {
    const [flow, other] = pipe();
    for (const [name, value] of endlessOptions) {
      const options = { ...clientOptions, [name]: value } as TlsClientOptions;
      const { message } = await assertRejects(() => tlsClient(sw, flow, options), Error);
      assert(message.startsWith("Cannot start TLS") && message.length < 300, `${name}: ${message.slice(0, 400)}`);
      assert(!message.includes("\n") && !message.includes("\u001b"), name);
    }
    await copyString("x", other);
    assertEquals(await flow.read(new Uint8Array(1)), 1);
  }));

test("tlsClient() and tlsServer() refuse options that are not an object", () =>
  Switch.run(async (sw) => {
    for (const options of [undefined, null, 1, "localhost"]) {
      const message = "Cannot start TLS as options must be an object: current value is ";
      await assertRejects(() => tlsClient(sw, pipe()[0], options as never), TypeError, message);
      await assertRejects(() => tlsServer(sw, pipe()[0], options as never), TypeError, message);
    }
  }));

test("tlsClient() refuses anything but a two-way flow", () =>
  Switch.run(async (sw) => {
    for (const flow of [undefined, null, {}, 1, endless, { read() {}, write() {} }]) {
      const error = await assertRejects(() => tlsClient(sw, flow as unknown as TwoWay, clientOptions), TypeError);
      assert(error.message.endsWith("it must be a flow that goes both ways"), error.message);
      assert(error.message.length < 300);
    }
  }));

test("closeNotify optional accepts the end of the flow as the end of the stream, after all data", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    const [client, server] = await secured(sw, [a, b], { closeNotify: "optional" });
    await copyString("all of it", server);
    await yieldNow(); // it is in the pipe
    await b.shutdown("send");
    assertEquals(new TextDecoder().decode(await readAll(client)), "all of it");
    assertEquals(await client.read(new Uint8Array(1)), null);
    await copyString("still goes out", client);
  }));

test("closeNotify optional does not accept an end of the flow within a record", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    let cut = false;
    const cutting: TwoWay = {
      read: (buffer) => b.read(buffer),
      write: async (bytes) => {
        await b.write(cut ? bytes.subarray(0, bytes.length - 1) : bytes);
        return bytes.length;
      },
      shutdown: (how) => b.shutdown(how),
    };
    const [client, server] = await secured(sw, [a, cutting], { closeNotify: "optional" });
    cut = true;
    await copyString("all of it", server);
    await yieldNow(); // it is in the pipe
    await b.shutdown("send");
    const error = await assertRejects(() => client.read(new Uint8Array(1)), TlsError);
    assertEquals(error.code, "truncated");
  }));

test("closeNotify optional does not accept an end of the flow within the handshake", () =>
  Switch.run(async (sw) => {
    const [a, b] = pipe();
    await b.shutdown("send");
    const options: TlsClientOptions = { ...clientOptions, closeNotify: "optional" };
    assertEquals((await assertRejects(() => tlsClient(sw, a, options), TlsError)).code, "truncated");
  }));
