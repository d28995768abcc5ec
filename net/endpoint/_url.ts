// Copyright 2026 the Sluice authors. MIT license.

import { mustBe, quoteText } from "../../base/internal.ts";
import { checkHostName, literalOf } from "../internal.ts";
import { IpAddress } from "../mod.ts";

const action = "resolve a URL";

/**
 * Splits a URL: into its scheme, in lower case, and what is between `//` and the path, which is not
 * checked and may have a password. Returns `undefined` if it has no scheme; `a.test:80` has none.
 *
 * It is not parsed by the class `URL`, which drops a port that is the default one.
 *
 * @throws {TypeError} If `url` is neither text nor a URL.
 */
export function splitUrl(url: string | URL): { scheme: string; authority: string } | undefined {
  const text = typeof url === "string" ? url : (url as URL | null | undefined)?.href;
  if (typeof text !== "string") throw new TypeError(mustBe(action, "url", "a string or a URL", url));
  const [, scheme, rest] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(text) ?? [];
  if (scheme === undefined || /^[0-9]+(?:[/?#]|$)/.test(rest)) return undefined;
  return { scheme: scheme.toLowerCase(), authority: /^\/\/([^/?#]*)/.exec(rest)?.[1] ?? "" };
}

/**
 * Parses the authority of a URL (RFC 3986, section 3.2). The host, as {@linkcode normalizeHost}
 * returns it, is `localhost` if there is none. What URL parsers understand in different ways is
 * refused.
 *
 * @throws {SyntaxError} If it is malformed. The message shows no part of a password, not even of one
 * with a slash, which looks like a port and a path.
 */
export function parseAuthority(authority: string): { host: string; port: number | undefined } {
  if (/[\p{Cc}\p{Z}\\]/u.test(authority)) {
    throw malformed(action, "a space, a control character or a backslash is before its path");
  }
  if (/@.*@/.test(authority)) throw malformed(action, 'it has more than one "@"');
  const [, text, digits] = /^(?:.*@)?(\[[^\]]*\]|[^:@]*)(?::([0-9]*))?$/.exec(authority) ?? [];
  if (text === undefined) throw malformed(action, 'what is before the path is not a host, ":" and a port');
  if (Number(digits) > 65535) throw malformed(action, "its port must be at most 65535");
  return { host: text === "" ? "localhost" : normalizeHost(text), port: digits ? Number(digits) : undefined };
}

/**
 * Returns a host in lower case, without a trailing dot, with an internationalized name in its
 * A-label form, and an IP address in its canonical text, without brackets.
 *
 * @throws {SyntaxError} If it is neither a host name nor an IP address.
 */
export function normalizeHost(text: string): string {
  const use = `use host name ${quoteText(text)}`;
  const [, bracketed] = /^\[(.*)\]$/s.exec(text) ?? [];
  const literal = bracketed === undefined ? literalOf(text) : IpAddress.parse(bracketed.replace("%25", "%")); // RFC 6874
  if (bracketed !== undefined && literal?.version !== 6) throw malformed(use, "only an IPv6 address has brackets");
  if (literal !== undefined) return literal.toString();
  const [strange] = /[\p{Cc}\p{Cs}\p{Z}/?#@\\:[\]]/u.exec(text) ?? []; // it would make a URL of another form
  if (strange !== undefined) throw malformed(use, `the character ${quoteText(strange)} is not part of a host name`);
  const url = `http://${text}/`; // converted as browsers do (UTS 46), so that text and a `URL` are equal
  if (!URL.canParse(url)) throw malformed(use, "no URL can have it");
  const { hostname } = new URL(url);
  checkHostName(hostname); // what URL allows, but not the system
  return hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
}

function malformed(action: string, rule: string): SyntaxError {
  return new SyntaxError(`Cannot ${action}: ${rule}`);
}
