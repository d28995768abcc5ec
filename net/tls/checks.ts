// Copyright 2026 the Sluice authors. MIT license.

/** The checks of options, before anything is done, and what `node:tls` makes of them. */

import { Buffer } from "node:buffer";
import type { SecureContextOptions } from "node:tls";
import type { Pem, TlsCertificate } from "./options.ts";

/** The longest name of a protocol, in bytes (RFC 7301). */
const longestProtocol = 255;

/** A certificate, if it is one as far as can be told without reading it. */
export function checkCertificate(certificate: TlsCertificate): TlsCertificate {
  const { chain, key, passphrase } = certificate ?? {};
  checkPem("chain", chain);
  checkPem("key", key);
  if (passphrase === undefined || typeof passphrase === "string") return certificate;
  throw new TypeError("Cannot start TLS as the passphrase of a key must be a string");
}

/** A certificate as `node:tls` wants it. */
export function certificateSettings({ chain, key, passphrase }: TlsCertificate): SecureContextOptions {
  return { cert: pem(chain), key: pem(key), ...(passphrase === undefined ? {} : { passphrase }) };
}

/** The authorities as `node:tls` wants them. */
export function checkAuthorities(authorities: Pem | readonly Pem[] | undefined): (string | Buffer)[] | undefined {
  if (authorities === undefined) return undefined;
  const list = Array.isArray(authorities) ? authorities : [authorities];
  if (list.length === 0) throw new RangeError("Cannot start TLS as authorities must be some: there are none");
  list.forEach((authority) => checkPem("authorities", authority));
  return list.map(pem);
}

/** The protocols as `node:tls` wants them. */
export function checkProtocols(protocols: readonly string[] | undefined): string[] | undefined {
  if (protocols === undefined || protocols.length === 0) return undefined;
  for (const protocol of protocols) {
    if (typeof protocol !== "string") {
      throw new TypeError(`Cannot start TLS with the protocol ${String(protocol)}: it must be a string`);
    }
    const size = Buffer.byteLength(protocol);
    if (size < 1 || size > longestProtocol) {
      throw new RangeError(
        `Cannot start TLS with the protocol "${protocol}": it must be of 1 to ${longestProtocol} bytes`,
      );
    }
  }
  return [...protocols];
}

/** Text or bytes with something in them, for without the runtimes would take their own. */
function checkPem(name: string, value: Pem): void {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    throw new TypeError(`Cannot start TLS as ${name} must be PEM: current value is ${String(value)}`);
  }
  if (!pem(value).includes("-----BEGIN ")) throw new SyntaxError(`Cannot start TLS as ${name} must be PEM`);
}

function pem(value: Pem): string | Buffer {
  return typeof value === "string" ? value : Buffer.from(value);
}
