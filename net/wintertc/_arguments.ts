// Copyright 2026 the Sluice authors. MIT license.

/** The arguments of `connect`, converted as Web IDL says where code may rely on it. */
import { describe, quoteText } from "../../base/internal.ts";
import { checkHostName, literalOf, tcp, type TcpAddress } from "../internal.ts";
import { type HostAddress, hostAddress } from "../mod.ts";
import { SocketError } from "./socket_error.ts";
import type { WinterSecureTransport, WinterSocketOptions, WinterTlsOptions } from "./winter_socket.ts";

/** The target of a socket. */
export interface Target {
  /** The host name or IP address literal, without brackets. */
  readonly hostname: string;
  readonly address: TcpAddress | HostAddress;
}

/** The checked options of `connect`. */
export interface ConnectTerms {
  readonly secureTransport: WinterSecureTransport;
  readonly allowHalfOpen: boolean;
  /** The name that the server's certificate must have. */
  readonly serverName: string;
  readonly protocols: readonly string[];
}

/** Reads and checks the address of `connect`. */
export function readTarget(address: unknown): Target {
  if (typeof address === "string") {
    const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(address);
    if (match !== null) return targetOf(match[1] ?? match[2], Number(match[3]), address);
    throw malformed(address, 'it must be a host, in brackets if it has a colon, then ":" and a port');
  }
  if (typeof address !== "object" || address === null) {
    throw new TypeError(
      `Cannot connect as address must be text or have a hostname and a port: current value is ${describe(address)}`,
    );
  }
  const { hostname, port } = address as { readonly hostname?: unknown; readonly port?: unknown };
  if (typeof hostname !== "string") {
    throw new TypeError(`Cannot connect as hostname must be a string: current value is ${describe(hostname)}`);
  }
  const number = typeof port === "string" && /^[0-9]{1,5}$/.test(port) ? Number(port) : port;
  if (typeof number !== "number" || !Number.isInteger(number)) {
    throw new TypeError(`Cannot connect as port must be a whole number: current value is ${describe(port)}`);
  }
  return targetOf(/^\[.*:.*\]$/.test(hostname) ? hostname.slice(1, -1) : hostname, number, hostname);
}

function targetOf(hostname: string, port: number, text: string): Target {
  if (port < 1 || port > 65535) throw malformed(text, `the port must be from 1 to 65535: current value is ${port}`);
  const ip = literalOf(hostname);
  try {
    return { hostname, address: ip === undefined ? hostAddress(hostname, port) : tcp(ip, port) };
  } catch (cause) {
    throw malformed(text, reasonOf(cause), cause);
  }
}

function malformed(text: string, rule: string, cause?: unknown): SocketError {
  return new SocketError(`Cannot connect to ${quoteText(text)}: ${rule}`, { cause });
}

/** Reads and checks the options of `connect`, each once. */
export function readOptions(options: WinterSocketOptions | null | undefined, hostname: string): ConnectTerms {
  const { secureTransport = "off", allowHalfOpen, sni, alpn = [] } = objectOf("connect", options);
  if (!["off", "on", "starttls"].includes(secureTransport)) {
    throw new TypeError(
      `Cannot connect as secureTransport must be "off", "on" or "starttls": current value is ${
        describe(secureTransport)
      }`,
    );
  }
  if (!Array.isArray(alpn) || !alpn.every((each) => typeof each === "string")) {
    throw new TypeError(`Cannot connect as alpn must be a list of strings: current value is ${describe(alpn)}`);
  }
  const protocols = Object.freeze([...alpn]);
  const named = sni !== undefined && sni !== null;
  if (secureTransport === "off" && (named || protocols.length > 0)) {
    const option = named ? "sni" : "alpn";
    throw new TypeError(`Cannot connect with ${option}: secureTransport must be "on" or "starttls"`);
  }
  const serverName = named ? checkName("connect", "sni", sni) : hostname;
  return { secureTransport, allowHalfOpen: Boolean(allowHalfOpen), serverName, protocols };
}

/** Reads and checks the options of `startTls`. */
export function readExpectedName(options: WinterTlsOptions | null | undefined): string | undefined {
  const { expectedServerHostname: name } = objectOf("start TLS", options);
  return name === undefined ? undefined : checkName("start TLS", "expectedServerHostname", name);
}

function objectOf<T extends object>(action: string, options: T | null | undefined): Partial<T> {
  if (options === undefined || options === null) return {};
  if (typeof options === "object" || typeof options === "function") return options;
  throw new TypeError(`Cannot ${action} as options must be an object: current value is ${describe(options)}`);
}

function checkName(action: string, option: string, name: unknown): string {
  if (typeof name !== "string") {
    throw new TypeError(`Cannot ${action} as ${option} must be a string: current value is ${describe(name)}`);
  }
  try {
    checkHostName(name);
  } catch (cause) {
    throw new SocketError(`Cannot ${action} with ${option} ${quoteText(name)}: ${reasonOf(cause)}`, { cause });
  }
  return name;
}

/** Returns the rule that our own message names after its colon. */
function reasonOf(cause: unknown): string {
  return (cause as Error).message.replace(/^Cannot/, "cannot");
}
