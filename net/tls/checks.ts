// Copyright 2026 the Sluice authors. MIT license.

/**
 * The checks of options, before anything is done, and what `node:tls` makes of them. The runtimes say in different words
 * what is wrong with a certificate, some of them nothing at all, and only in the handshake.
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import type { Pem, TlsCertificate } from "./options.ts";

/** The longest name of a protocol, in bytes (RFC 7301). */
const longestProtocol = 255;

/** Blocks of the PEM format (RFC 7468). There may be text around them, and blocks of other kinds. */
const certificates = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const privateKeys = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----.*?-----END \1?PRIVATE KEY-----/gs;

/** A certificate as `node:tls` wants it. */
export function certificateSettings(certificate: TlsCertificate): SecureContextOptions {
  const { chain, key, passphrase } = certificate ?? {};
  if (passphrase !== undefined && typeof passphrase !== "string") {
    throw new TypeError("Cannot start TLS as the passphrase of a key must be a string");
  }
  const shown = readCertificates("chain", chain);
  const [block] = blocks("key", key, privateKeys);
  if (!readCertificate("chain", shown[0]).checkPrivateKey(readKey(block, passphrase))) {
    throw new TypeError("Cannot start TLS as key must be that of the first certificate in chain: it is another one");
  }
  return { cert: shown.join("\n"), key: block, ...(passphrase === undefined ? {} : { passphrase }) };
}

/** The authorities as `node:tls` wants them. */
export function checkAuthorities(authorities: Pem | readonly Pem[] | undefined): string[] | undefined {
  if (authorities === undefined) return undefined;
  const list: readonly Pem[] = Array.isArray(authorities) ? authorities : [authorities];
  if (list.length === 0) throw new RangeError("Cannot start TLS as authorities must be some: there are none");
  return list.flatMap((authority) => readCertificates("authorities", authority));
}

/** The protocols as `node:tls` wants them. */
export function checkProtocols(protocols: readonly string[] | undefined): string[] | undefined {
  if (protocols === undefined) return undefined;
  if (!Array.isArray(protocols)) {
    throw new TypeError(`Cannot start TLS as protocols must be an array: current value is ${String(protocols)}`);
  }
  const list = [...protocols]; // where a hole is a value like others
  list.forEach(checkProtocol);
  return list.length === 0 ? undefined : list;
}

/** Names are opaque bytes (RFC 7301), of which the runtimes agree on these only. */
function checkProtocol(protocol: unknown): void {
  if (typeof protocol !== "string") {
    throw new TypeError(`Cannot start TLS with the protocol ${String(protocol)}: it must be a string`);
  }
  if (protocol.length < 1 || protocol.length > longestProtocol) {
    throw new RangeError(
      `Cannot start TLS with the protocol "${protocol}": it must be of 1 to ${longestProtocol} bytes`,
    );
  }
  if (/[^\x20-\x7e]/.test(protocol)) {
    throw new SyntaxError(`Cannot start TLS with the protocol ${JSON.stringify(protocol)}: it must be printable ASCII`);
  }
}

/** The blocks of certificates, each of which can be read. */
function readCertificates(name: string, value: Pem): string[] {
  const found = blocks(name, value, certificates);
  for (const block of found) readCertificate(name, block);
  return found;
}

function readCertificate(name: string, block: string): X509Certificate {
  try {
    return new X509Certificate(block);
  } catch (cause) {
    throw new SyntaxError(`Cannot start TLS as a certificate in ${name} cannot be read`, { cause });
  }
}

function readKey(key: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? key : { key, passphrase });
  } catch (cause) {
    const how = passphrase === undefined ? "without a passphrase" : "with this passphrase";
    throw new SyntaxError(`Cannot start TLS as key cannot be read ${how}`, { cause });
  }
}

/** The blocks of a kind, one at least: without any the runtimes would take their own. */
function blocks(name: string, value: Pem, kind: RegExp): string[] {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    throw new TypeError(`Cannot start TLS as ${name} must be PEM: current value is ${String(value)}`);
  }
  const text = typeof value === "string" ? value : Buffer.from(value).toString("latin1");
  const found = text.match(kind);
  if (found !== null) return found;
  const what = kind === certificates ? "certificates" : "a private key";
  throw new SyntaxError(`Cannot start TLS as ${name} must be ${what} in the PEM format`);
}
