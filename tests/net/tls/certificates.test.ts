// Copyright 2026 the Sluice authors. MIT license.

/**
 * Any value as a certificate, key or authority either works, or fails with one of a few short
 * errors.
 */
import { assert } from "@std/assert";
import { createPrivateKey } from "node:crypto";
import { BrokenPipeError, pipe, Switch } from "../../../mod.ts";
import { type TlsCertificate, tlsClient, TlsError, tlsServer } from "../../../net/tls/mod.ts";
import { test } from "../../_test.ts";
import { authority, certificate, clientOptions, serverOptions } from "./_helpers.ts";

const { chain, key } = certificate("localhost") as { chain: string; key: string };
const weak = certificate("weak");
const der = (pem: string): Uint8Array =>
  Uint8Array.from(atob(pem.replace(/-----[^-]*-----|\s/g, "")), (char) => char.charCodeAt(0));
const locked = createPrivateKey(key).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" });
const hostile = "\n\x1b[31m-----BEGIN CERTIFICATE-----\u202e\0".repeat(30_000);
const manyKeys = "-----BEGIN PRIVATE KEY-----\n".repeat(40_000);

const certificates: [what: string, certificate: unknown][] = [
  ["an RSA key of 1024 bits", weak],
  ["the key of another", { chain, key: certificate("other").key }],
  ["a key of another kind", { chain, key: weak.key }],
  ["an encrypted key", { chain, key: locked }],
  ["an encrypted key with the wrong passphrase", { chain, key: locked, passphrase: hostile }],
  ["a passphrase that is no string", { chain, key: locked, passphrase: 1 }],
  ["a certificate that has expired", certificate("expired")],
  ["the wrong order", { chain: authority + chain, key }],
  ["CRLF", { chain: chain.replaceAll("\n", "\r\n"), key: key.replaceAll("\n", "\r\n") }],
  ["DER", { chain: der(chain), key: der(key) }],
  ["DER in PEM that is cut", { chain: chain.replace(/\n[^-\n]+\n-----END/, "\n-----END"), key }],
  ["nothing", { chain: "", key: "" }],
  ["no bytes", { chain: new Uint8Array(0), key: new Uint8Array(0) }],
  ["no object", 1],
  ["null", null],
  ["an array", [chain, key]],
  ["a megabyte of garbage", { chain: hostile, key: hostile }],
  ["a megabyte of garbage before it", { chain: hostile + chain, key: hostile + key }],
  ["a megabyte of keys that do not end", { chain, key: manyKeys }],
  ["garbage bytes", { chain: new Uint8Array(100_000).fill(0xff), key: new Uint8Array(100_000) }],
  ["a public key", { chain, key: chain.replaceAll("CERTIFICATE", "PRIVATE KEY") }],
  ["an empty block", { chain: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", key }],
  ["objects", { chain: { toString: () => chain }, key: Object.create(null) }],
];

const authorities: [what: string, authorities: unknown][] = [
  ["an RSA key of 1024 bits", weak.chain],
  ["one that has expired", certificate("expired").chain],
  ["a key", key],
  ["DER", der(authority)],
  ["nothing", ""],
  ["no authority", []],
  ["a hole", [, authority]],
  ["a megabyte of garbage", hostile],
  ["one authority 200 times", Array(200).fill(authority)],
  ["a number", 1],
  ["null", null],
];

/** Asserts that an error is a documented one of `tlsClient` or `tlsServer`, and is safe to log. */
function checkError(error: unknown): void {
  const known = [TlsError, TypeError, SyntaxError, RangeError].some((type) => error instanceof type);
  assert(known, `${(error as Error)?.constructor?.name}: ${error}`);
  const { message } = error as Error;
  assert(message.startsWith("Cannot start TLS") && message.length < 400, message.slice(0, 1000));
  // deno-lint-ignore no-control-regex
  assert(!/[\0-\x1f\x7f-\x9f\u202e]/.test(message), JSON.stringify(message));
}

/** Performs a handshake over a pipe. If one side refuses, the other may fail only with the pipe. */
function shake(client: object, server: object): Promise<void> {
  return Switch.run(async (sw) => {
    const [a, b] = pipe();
    const settled = async (opening: Promise<AsyncDisposable>, flow: AsyncDisposable): Promise<unknown> => {
      try {
        await opening;
      } catch (error) {
        await flow[Symbol.asyncDispose](); // if it refused before it used the flow
        return error;
      }
    };
    const errors = await Promise.all([
      settled(tlsClient(sw, a, { ...clientOptions, ...client }), a),
      settled(tlsServer(sw, b, { ...serverOptions, ...server }), b),
    ]);
    const failed = errors.filter((error) => error !== undefined);
    const own = failed.filter((error) => !(error instanceof BrokenPipeError));
    own.forEach(checkError);
    assert(failed.length === 0 || own.length > 0, String(failed[0]));
  });
}

for (const [what, bad] of certificates) {
  test(`tlsServer() takes a certificate with ${what}, or refuses it in short`, async () => {
    await shake({}, { certificate: bad });
    await shake({}, { certificate: () => bad as TlsCertificate });
  });

  test(`tlsClient() takes a certificate with ${what}, or refuses it in short`, () =>
    shake({ certificate: bad }, { authorities: authority }));
}

for (const [what, bad] of authorities) {
  test(`tlsClient() and tlsServer() accept ${what} for authorities, or refuse it in short`, async () => {
    await shake({ authorities: bad }, {});
    await shake({ certificate: certificate("client") }, { authorities: bad });
  });
}
