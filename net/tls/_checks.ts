// Copyright 2026 the Sluice authors. MIT license.

/**
 * Checks of TLS options, made before anything is opened. The runtimes report a defect of a
 * certificate only in the handshake, each in its own words, or not at all.
 */
import { checkMilliseconds, describe, escapeText, quoteText } from "../../base/internal.ts";
import { isBytes, unshared, viewOf } from "../../flow/internal.ts";
import { systemClock } from "../../switch/internal.ts";
import type { Clock } from "../../switch/mod.ts";
import type { TlsIdentity } from "./_engine.ts";
import { nodeTls } from "./_node_engine.ts";
import type { Pem, TlsCertificate, TlsOptions } from "./options.ts";

/** The longest protocol name, in bytes (RFC 7301). */
const maxProtocolBytes = 255;

/** PEM blocks (RFC 7468). Text and blocks of other kinds around them are ignored. */
const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const privateKeyPattern = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----(?:(?!-----BEGIN ).)*?-----END \1?PRIVATE KEY-----/gs;

const defaultHandshakeTimeout = 10_000;
const defaultLinger = 1000;

/** The checked options of both sides, with defaults, except the protocols. */
export interface CommonSettings {
  readonly clock: Clock;
  /** In milliseconds. */
  readonly handshakeTimeout: number;
  /** In milliseconds. */
  readonly linger: number;
  /** Whether an end of the flow without close_notify is an error. */
  readonly needsCloseNotify: boolean;
}

/** Throws unless `options` is an object. */
export function checkTlsOptions(options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw new TypeError(`Cannot start TLS as options must be an object: current value is ${describe(options)}`);
}

/** Checks the options that both sides share. */
export function checkCommon(options: TlsOptions): CommonSettings {
  const { clock = systemClock, closeNotify = "required" } = options;
  const { handshakeTimeout = defaultHandshakeTimeout, linger = defaultLinger } = options;
  checkMilliseconds("start TLS", "handshakeTimeout", handshakeTimeout);
  checkMilliseconds("start TLS", "linger", linger);
  if (typeof clock?.now !== "function" || typeof clock.sleep !== "function") {
    throw new TypeError(`Cannot start TLS as clock must be a Clock: current value is ${describe(clock)}`);
  }
  if (closeNotify !== "required" && closeNotify !== "optional") {
    throw new TypeError(
      `Cannot start TLS as closeNotify must be "required" or "optional": current value is ${describe(closeNotify)}`,
    );
  }
  return { clock, handshakeTimeout, linger, needsCloseNotify: closeNotify === "required" };
}

/** Checks the option `verification`; returns whether certificates are verified. */
export function checkVerification(verification: unknown): boolean {
  if (verification === undefined) return true;
  if (verification === "dangerously-off") return false;
  throw new TypeError(
    `Cannot start TLS with verification ${describe(verification)}: it can only be "dangerously-off"`,
  );
}

/** Checks that a certificate and its key are valid and belong together. */
export function checkCertificate(certificate: TlsCertificate): TlsIdentity {
  const { chain, key, passphrase } = certificate ?? {};
  if (passphrase !== undefined && typeof passphrase !== "string") {
    throw new TypeError("Cannot start TLS as the passphrase of a key must be a string");
  }
  const certificateBlocks = readCertificates("chain", chain);
  const [block] = pemBlocks("key", key, privateKeyPattern);
  const identity = { chain: certificateBlocks, key: block, passphrase };
  if (!isKeyOfCertificate(identity)) {
    throw new TypeError("Cannot start TLS as key must be that of the first certificate in chain: it is another one");
  }
  checkAllowed(identity);
  return identity;
}

/** Checks the authorities; returns their certificates. */
export function checkAuthorities(authorities: Pem | readonly Pem[] | undefined): string[] | undefined {
  if (authorities === undefined) return undefined;
  const list: readonly Pem[] = Array.isArray(authorities) ? authorities : [authorities];
  if (list.length === 0) throw new RangeError("Cannot start TLS as authorities must not be empty");
  return [...list].flatMap((authority) => readCertificates("authorities", authority));
}

/** Checks the protocols; returns undefined if there are none. */
export function checkProtocols(protocols: readonly string[] | undefined): string[] | undefined {
  if (protocols === undefined) return undefined;
  if (!Array.isArray(protocols)) {
    throw new TypeError(`Cannot start TLS as protocols must be an array: current value is ${describe(protocols)}`);
  }
  const list = [...protocols]; // turns holes into undefined
  list.forEach(checkProtocol);
  return list.length === 0 ? undefined : list;
}

/**
 * Checks a protocol name: any bytes in RFC 7301, but the runtimes agree only on printable ASCII.
 */
function checkProtocol(protocol: unknown): void {
  if (typeof protocol !== "string") {
    throw new TypeError(`Cannot start TLS with the protocol ${describe(protocol)}: it must be a string`);
  }
  if (protocol.length < 1 || protocol.length > maxProtocolBytes) {
    throw new RangeError(
      `Cannot start TLS with the protocol ${quoteText(protocol)}: it must be of 1 to ${maxProtocolBytes} bytes`,
    );
  }
  if (/[^\x20-\x7e]/.test(protocol)) {
    throw new SyntaxError(`Cannot start TLS with the protocol ${quoteText(protocol)}: it must be printable ASCII`);
  }
}

/** Returns the certificate blocks of a PEM text, each checked to be valid. */
function readCertificates(name: string, value: Pem): string[] {
  const found = pemBlocks(name, value, certificatePattern);
  for (const block of found) {
    try {
      nodeTls.checkX509(block);
    } catch (cause) {
      throw new SyntaxError(`Cannot start TLS as a certificate in ${name} cannot be read`, { cause });
    }
  }
  return found;
}

function isKeyOfCertificate(identity: TlsIdentity): boolean {
  try {
    return nodeTls.isKeyOfCertificate(identity);
  } catch (cause) {
    const how = identity.passphrase === undefined ? "without a passphrase" : "with this passphrase";
    throw new SyntaxError(`Cannot start TLS as key cannot be read ${how}`, { cause });
  }
}

/** Throws if the runtime rejects the certificate or key, such as an RSA key of 1024 bits. */
function checkAllowed(identity: TlsIdentity): void {
  try {
    nodeTls.checkIdentity(identity);
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    const reason = typeof code === "string" ? ` (${escapeText(code, 100)})` : "";
    throw new TypeError(`Cannot start TLS as the runtime refuses the certificate in chain or its key${reason}`, {
      cause,
    });
  }
}

/** Returns the PEM blocks that match `pattern`. Throws if none does: runtimes then use defaults. */
function pemBlocks(name: string, value: Pem, pattern: RegExp): string[] {
  if (typeof value !== "string" && !isBytes(value)) {
    throw new TypeError(`Cannot start TLS as ${name} must be PEM: current value is ${describe(value)}`);
  }
  const text = typeof value === "string" ? value : new TextDecoder().decode(unshared(viewOf(value)));
  const found = text.match(pattern);
  if (found !== null) return found;
  const what = pattern === certificatePattern ? "certificates" : "a private key";
  throw new SyntaxError(`Cannot start TLS as ${name} must be ${what} in the PEM format`);
}
