// Copyright 2026 the Sluice authors. MIT license.

/**
 * The checks of options, before anything is done. The runtimes say in different words what is wrong with a certificate, some of them nothing at all, and only in
 * the handshake.
 */
import { describe, escapeText, quoteText } from "../../base/internal.ts";
import { isBytes, unshared, viewOf } from "../../flow/internal.ts";
import { systemClock } from "../../switch/internal.ts";
import type { Clock } from "../../switch/mod.ts";
import { checkMilliseconds } from "../../base/internal.ts";
import type { TlsIdentity } from "./_engine.ts";
import { nodeTls } from "./_node_engine.ts";
import type { Pem, TlsCertificate, TlsOptions } from "./options.ts";

/** The longest name of a protocol, in bytes (RFC 7301). */
const longestProtocol = 255;

/** Blocks of the PEM format (RFC 7468). There may be text around them, and blocks of other kinds. */
const certificates = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const privateKeys = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----(?:(?!-----BEGIN ).)*?-----END \1?PRIVATE KEY-----/gs;

const defaultHandshakeTimeout = 10_000;
const defaultLinger = 1000;

/** What both sides may set, with the defaults, but for the protocols. */
export interface CommonSettings {
  readonly clock: Clock;
  /** In milliseconds. */
  readonly handshakeTimeout: number;
  /** In milliseconds. */
  readonly linger: number;
  /** Whether an end of the flow without close_notify is an error. */
  readonly needsCloseNotify: boolean;
}

/** Checks that there are options at all. */
export function checkOptions(options: unknown): void {
  if (typeof options === "object" && options !== null) return;
  throw new TypeError(`Cannot start TLS as options must be an object: current value is ${describe(options)}`);
}

/** Checks what both sides may set. */
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

/** Checks whether certificates are to be verified. */
export function checkVerification(verification: unknown): boolean {
  if (verification === undefined) return true;
  if (verification === "dangerously-off") return false;
  throw new TypeError(
    `Cannot start TLS with verification ${describe(verification)}: it can only be "dangerously-off"`,
  );
}

/** A certificate that can be shown: it and its key can be read, and belong together. */
export function checkCertificate(certificate: TlsCertificate): TlsIdentity {
  const { chain, key, passphrase } = certificate ?? {};
  if (passphrase !== undefined && typeof passphrase !== "string") {
    throw new TypeError("Cannot start TLS as the passphrase of a key must be a string");
  }
  const shown = readCertificates("chain", chain);
  const [block] = blocks("key", key, privateKeys);
  const identity = { chain: shown, key: block, passphrase };
  if (!hasOwnKey(identity)) {
    throw new TypeError("Cannot start TLS as key must be that of the first certificate in chain: it is another one");
  }
  checkAllowed(identity);
  return identity;
}

/** The certificates of the authorities, each of which can be read. */
export function checkAuthorities(authorities: Pem | readonly Pem[] | undefined): string[] | undefined {
  if (authorities === undefined) return undefined;
  const list: readonly Pem[] = Array.isArray(authorities) ? authorities : [authorities];
  if (list.length === 0) throw new RangeError("Cannot start TLS as authorities must not be empty");
  return [...list].flatMap((authority) => readCertificates("authorities", authority));
}

/** The protocols, if there are any. */
export function checkProtocols(protocols: readonly string[] | undefined): string[] | undefined {
  if (protocols === undefined) return undefined;
  if (!Array.isArray(protocols)) {
    throw new TypeError(`Cannot start TLS as protocols must be an array: current value is ${describe(protocols)}`);
  }
  const list = [...protocols]; // where a hole is a value like others
  list.forEach(checkProtocol);
  return list.length === 0 ? undefined : list;
}

/** Names are opaque bytes (RFC 7301), of which the runtimes agree on these only. */
function checkProtocol(protocol: unknown): void {
  if (typeof protocol !== "string") {
    throw new TypeError(`Cannot start TLS with the protocol ${describe(protocol)}: it must be a string`);
  }
  if (protocol.length < 1 || protocol.length > longestProtocol) {
    throw new RangeError(
      `Cannot start TLS with the protocol ${quoteText(protocol)}: it must be of 1 to ${longestProtocol} bytes`,
    );
  }
  if (/[^\x20-\x7e]/.test(protocol)) {
    throw new SyntaxError(`Cannot start TLS with the protocol ${quoteText(protocol)}: it must be printable ASCII`);
  }
}

/** The blocks of certificates, each of which can be read. */
function readCertificates(name: string, value: Pem): string[] {
  const found = blocks(name, value, certificates);
  for (const block of found) {
    try {
      nodeTls.checkX509(block);
    } catch (cause) {
      throw new SyntaxError(`Cannot start TLS as a certificate in ${name} cannot be read`, { cause });
    }
  }
  return found;
}

function hasOwnKey(identity: TlsIdentity): boolean {
  try {
    return nodeTls.hasOwnKey(identity);
  } catch (cause) {
    const how = identity.passphrase === undefined ? "without a passphrase" : "with this passphrase";
    throw new SyntaxError(`Cannot start TLS as key cannot be read ${how}`, { cause });
  }
}

/** Refuses what the runtime does not use, such as an RSA key of 1024 bits. */
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

/** The blocks of a kind, one at least: without any the runtimes would take their own. */
function blocks(name: string, value: Pem, kind: RegExp): string[] {
  if (typeof value !== "string" && !isBytes(value)) {
    throw new TypeError(`Cannot start TLS as ${name} must be PEM: current value is ${describe(value)}`);
  }
  const text = typeof value === "string" ? value : new TextDecoder().decode(unshared(viewOf(value)));
  const found = text.match(kind);
  if (found !== null) return found;
  const what = kind === certificates ? "certificates" : "a private key";
  throw new SyntaxError(`Cannot start TLS as ${name} must be ${what} in the PEM format`);
}
