// Copyright 2026 the Sluice authors. MIT license.

import { describe, quoteText } from "../../base/internal.ts";
import { type Block, parseBlock, problemOf } from "../blocks/internal.ts";
import { checkHostName, checkUnixPath, type IpAddress, literalOf } from "../internal.ts";

/** The lists of rules of a policy. */
export type RuleList = "connect" | "listen" | "bind" | "send" | "lookup" | "deny";

/**
 * What a rule stands for: any host, a name, the names below one, a block of addresses, or Unix
 * paths.
 */
export type Pattern =
  | { readonly kind: "any" }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "below"; readonly suffix: string }
  | { readonly kind: "block"; readonly block: Block }
  | { readonly kind: "unix"; readonly path: string | undefined };

/** A parsed rule. */
export interface Rule {
  /** The text of the rule, for the owner. */
  readonly text: string;
  readonly pattern: Pattern;
  /** The port; `undefined` is any. */
  readonly port: number | undefined;
}

/** Throws a `SyntaxError` that names the rule and what is wrong with it. */
type Fail = (reason: string) => never;

/**
 * Parses a rule of a policy.
 *
 * @throws {TypeError} If it is not a string.
 * @throws {SyntaxError} If it is not a rule, or means nothing in `list`.
 */
export function parseRule(list: RuleList, rule: unknown): Rule {
  if (typeof rule !== "string") {
    throw new TypeError(
      `Cannot restrict a network as a rule of ${list} must be a string: current value is ${describe(rule)}`,
    );
  }
  const fail: Fail = (reason) => {
    throw new SyntaxError(`Cannot restrict a network by rule ${quoteText(rule)} of ${list}: ${reason}`);
  };
  if (rule.startsWith("unix:")) {
    if (list === "lookup") fail("a path is not looked up");
    return frozen(rule, { kind: "unix", path: parsePath(rule.slice("unix:".length), fail) }, undefined);
  }
  const [host, port] = split(rule, fail);
  if (port === undefined && list !== "deny" && list !== "lookup") {
    fail('it has no port: write ":" and a port, or ":*" for any');
  }
  if (port !== undefined && list === "lookup") fail("a lookup has no port: write the name alone");
  const pattern = parseHost(host, fail);
  if ((pattern.kind === "name" || pattern.kind === "below") && isOfAddresses(list)) {
    fail("a name grants nothing here: write an address");
  }
  return frozen(rule, pattern, port === undefined ? undefined : parsePort(list, port, fail));
}

function frozen(text: string, pattern: Pattern, port: number | undefined): Rule {
  return Object.freeze({ text, pattern: Object.freeze(pattern), port });
}

/** Reports whether a list is about addresses only. */
function isOfAddresses(list: RuleList): boolean {
  return list === "listen" || list === "bind" || list === "send";
}

/** Splits a rule into its host and the text of its port. */
function split(rule: string, fail: Fail): [host: string, port: string | undefined] {
  if (rule === "") fail("it is empty");
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(rule)) fail('it is a URL: write its host and port, as in "example.com:443"');
  if (/^(?:\.{0,2}\/|@|\0)/.test(rule)) fail('a Unix path is written after "unix:"');
  const [whole, bracketed, host, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(rule) ?? [];
  if (whole !== undefined) {
    if (bracketed !== undefined && !bracketed.includes(":")) fail("only an IPv6 address has brackets");
    return [bracketed ?? host, port];
  }
  // A bare IPv6 address, unless its last group could be meant as a port.
  const address = rule.replace(/\/.*$/, "");
  if (literalOf(address) === undefined) {
    const [transport] = /^(?:tcp|udp|host):/.exec(rule) ?? []; // as in the target of a denial
    fail(transport === undefined ? "it is not a host and a port" : `write the host and port without "${transport}"`);
  }
  if (address === rule && literalOf(rule.replace(/:[^:]*$/, "")) !== undefined) {
    fail("the end could be a port: write the IPv6 address in brackets");
  }
  return [rule, undefined];
}

function parsePort(list: RuleList, text: string, fail: Fail): number | undefined {
  if (text === "*") return undefined;
  if (!/^(?:0|[1-9][0-9]{0,4})$/.test(text) || Number(text) > 65_535) {
    fail('a port is "*" or a decimal number up to 65535, without leading zeros');
  }
  if (text === "0" && (list === "connect" || list === "send")) fail("port 0 can only be bound");
  return Number(text);
}

function parsePath(text: string, fail: Fail): string | undefined {
  if (text === "*") return undefined;
  if (text.includes("*")) fail('"*" is not part of a path: "unix:*" alone is any');
  const path = text.startsWith("@") ? `\0${text.slice(1)}` : text.replace(/^\.\/(?=(?:\.\/)*@)/, "");
  if (!path.startsWith("\0") && path.includes("\0")) fail('an abstract name begins with "@"');
  try {
    checkUnixPath(path);
  } catch (error) {
    fail(problemOf(error));
  }
  return path;
}

function parseHost(host: string, fail: Fail): Pattern {
  if (host === "*") return { kind: "any" };
  if (host === "") fail('its host is empty: "*" is any');
  if (host.includes("/") || host.includes(":") || literalOf(host) !== undefined) {
    return { kind: "block", block: parseBlock(host, fail) };
  }
  if (host.startsWith("*.")) {
    const below = parseName(host.slice(2), fail);
    if (literalOf(below) !== undefined) fail("no name is below an address");
    return { kind: "below", suffix: `.${below}` };
  }
  return { kind: "name", name: parseName(host, fail) };
}

function parseName(name: string, fail: Fail): string {
  if (name.includes("*")) fail('"*" stands alone, or as "*." before a name');
  try {
    checkHostName(name);
  } catch (error) {
    fail(problemOf(error));
  }
  return canonicalName(name);
}

/** Returns the canonical form of a valid host name: in lower case, without a final dot. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

/** Reports whether a rule stands for a canonical name at a port; without one, at every port. */
export function coversName({ pattern, port: own }: Rule, name: string, port?: number): boolean {
  if (own !== undefined && own !== port) return false;
  if (pattern.kind === "name") return pattern.name === name;
  return pattern.kind === "any" || (pattern.kind === "below" && name.endsWith(pattern.suffix));
}

/** Reports whether a rule stands for an address at a port; without one, at every port. */
export function coversIp({ pattern, port: own }: Rule, ip: IpAddress, port?: number): boolean {
  if (own !== undefined && own !== port) return false;
  return pattern.kind === "any" || (pattern.kind === "block" && pattern.block.addresses.has(ip));
}

/** Reports whether a rule stands for a Unix path, or an abstract name after a NUL. */
export function coversPath({ pattern }: Rule, path: string): boolean {
  return pattern.kind === "unix" && (pattern.path === undefined || pattern.path === path);
}
