// Copyright 2026 the Sluice authors. MIT license.

import { attempt } from "../../base/internal.ts";
import { ignore } from "../../flow/internal.ts";
import { type Block, blockOf, overlap } from "../blocks/internal.ts";
import {
  type Address,
  checkStreamAddress,
  type Connection,
  describeAddress,
  domainNameProblem,
  type HostAddress,
  IpAddress,
  literalOf,
  NetError,
  type TcpAddress,
} from "../internal.ts";
import { carriedAddresses, whyNotPublic, whyNotPublicName } from "./addresses/internal.ts";
import type { CheckedPolicy } from "./_checked_policy.ts";
import { bytesText, type OwnHost } from "./_own_host.ts";
import { canonicalName, coversIp, coversName, coversPath, type Rule } from "./_rule.ts";
import type { NetDenial } from "./policy.ts";

/**
 * The reason for a denial. `undefined` in place of a verdict means that the operation is allowed.
 */
export interface Verdict {
  readonly reason: string;
  /** The rule of `deny` that applies. */
  readonly rule?: string;
}

/** Decides what a policy grants, and tells the owner what it denies. */
export class Judge {
  readonly #policy: CheckedPolicy;
  readonly #host: OwnHost;

  constructor(policy: CheckedPolicy, host: OwnHost) {
    this.#policy = policy;
    this.#host = host;
  }

  /** Judges an address that the caller connects or sends to. */
  remote(right: "connect" | "send", address: Address): Verdict | undefined {
    if (address.transport === "unix") return this.#path(right, address.path);
    const { ip, port } = address;
    return this.reached(ip, port) ?? this.#granted(right, (rule) => coversIp(rule, ip, port));
  }

  /** Judges an address of a granted name that is connected or sent to. */
  reached(ip: IpAddress, port: number): Verdict | undefined {
    // The system would connect to loopback instead, which no rule would see.
    return isUnspecified(ip) ? { reason: "an unspecified address stands for this host" } : this.resolved(ip, port);
  }

  /** Judges an address of a granted name. */
  resolved(ip: IpAddress, port?: number): Verdict | undefined {
    return this.#deniedIp(ip, port) ?? (this.#policy.isPublic ? this.#notPublic(ip) : undefined);
  }

  /** Judges an address that the caller binds to. */
  local(right: "listen" | "bind", address: Address): Verdict | undefined {
    if (address.transport === "unix") return this.#path(right, address.path);
    const { ip, port } = address;
    return this.#deniedHere(ip, port) ?? this.#granted(right, (rule) => coversIp(rule, ip, port));
  }

  /** Judges the address that the system has bound a socket to, where the caller chose port 0. */
  bound(address: Address): Verdict | undefined {
    return address.transport === "unix" ? undefined : this.#deniedHere(address.ip, address.port);
  }

  /** Judges a multicast group that a socket with a local port joins. */
  group(ip: IpAddress, port: number): Verdict | undefined {
    return this.resolved(ip, port) ?? this.#granted("bind", (rule) => coversIp(rule, ip, port));
  }

  /**
   * Judges an option that cannot be judged by an address: only a rule for any address grants it.
   */
  anyLocal(): Verdict | undefined {
    return this.#granted("bind", ({ pattern, port }) => pattern.kind === "any" && port === undefined);
  }

  /** Judges a valid host name that the caller connects to. */
  host({ name, port }: HostAddress): Verdict | undefined {
    const canonical = canonicalName(name);
    return this.#deniedName(canonical, port) ??
      this.#granted("connect", (rule) => coversName(rule, canonical, port)) ?? this.lookup(name);
  }

  /** Judges an address that the caller connects to, and that a lookup has found for a canonical name. */
  found(name: string, address: TcpAddress): Verdict | undefined {
    const { ip, port } = address;
    const isGranted = this.host({ transport: "host", name, port }) === undefined;
    return this.#deniedName(name, port) ?? (isGranted ? this.reached(ip, port) : this.remote("connect", address));
  }

  /** Judges a name that is looked up. It may be invalid, or an IP address. */
  lookup(name: string): Verdict | undefined {
    const literal = literalOf(name);
    if (literal !== undefined) return this.lookupAddress(literal);
    const canonical = canonicalName(name);
    const isValid = domainNameProblem(name) === undefined;
    return this.#deniedName(canonical) ??
      this.#granted("lookup", (rule) => isValid ? coversName(rule, canonical) : rule.pattern.kind === "any");
  }

  /** Judges an address whose name is looked up. */
  lookupAddress(ip: IpAddress, port?: number): Verdict | undefined {
    return this.resolved(ip, port) ?? this.#granted("lookup", (rule) => coversIp(rule, ip));
  }

  /** Judges a new connection: whether its peer is the address that was judged before. */
  connected(to: TcpAddress, connection: Connection): Verdict | undefined {
    const [peer, local] = [ipOf(connection, "peer"), ipOf(connection, "local")];
    if (peer?.port !== to.port || bytesText(peer.ip) !== bytesText(to.ip)) {
      return { reason: `the peer is not ${describeAddress(to)}` };
    }
    // If the runtime does not report the addresses of this host, a connection to itself shows them.
    const isOwn = this.#policy.isPublic && this.#host.has(to.ip) === undefined && local !== undefined &&
      bytesText(local.ip) === bytesText(peer.ip);
    return isOwn ? { reason: `${to.ip} is not public: an address of this host` } : undefined;
  }

  /** Tells the owner about a denial. */
  report(operation: string, target: Address | HostAddress | string, verdict: Verdict): void {
    const { onDenied } = this.#policy;
    if (onDenied === undefined) return;
    const text = typeof target === "string" ? target : describeAddress(target);
    const denial: NetDenial = Object.freeze({ operation, target: text, ...verdict });
    attempt(() => Promise.resolve(onDenied(denial)).catch(ignore), ignore);
  }

  /**
   * Tells the owner about a denial. Returns the error for the caller, which names only its own
   * target.
   */
  refuse(operation: string, target: Address | HostAddress | string, verdict: Verdict): NetError {
    this.report(operation, target, verdict);
    return new NetError("permission_denied", { operation, address: target });
  }

  #granted(
    right: "connect" | "listen" | "bind" | "send" | "lookup",
    covers: (rule: Rule) => boolean,
  ): Verdict | undefined {
    return this.#policy[right].some(covers) ? undefined : { reason: `no rule of ${right} grants it` };
  }

  #denied(covers: (rule: Rule) => boolean): Verdict | undefined {
    const rule = this.#policy.deny.find(covers)?.text;
    return rule === undefined ? undefined : { reason: "a rule of deny applies", rule };
  }

  #deniedName(name: string, port?: number): Verdict | undefined {
    const denial = this.#denied((rule) => coversName(rule, name, port));
    if (denial !== undefined || !this.#policy.deniesLocalNames) return denial;
    const reason = whyNotPublicName(name);
    return reason === undefined ? undefined : { reason };
  }

  #deniedIp(ip: IpAddress, port?: number): Verdict | undefined {
    const { deny } = this.#policy;
    if (deny.length === 0) return undefined;
    const places = [ip, ...carriedAddresses(ip)];
    const denial = this.#denied((rule) => places.some((place) => coversIp(rule, place, port)));
    return denial && { ...denial, reason: `${denial.reason} to ${ip}` };
  }

  /** Judges a local address by `deny`. An unspecified one stands for every address of this host. */
  #deniedHere(ip: IpAddress, port: number): Verdict | undefined {
    const denial = this.#deniedIp(ip, port);
    if (denial !== undefined || this.#policy.deny.length === 0 || !isUnspecified(ip)) return denial;
    const isPart = ({ version }: IpAddress) => ip.unmapped().version === 6 || version === 4; // :: is both
    const own = this.#host.addresses();
    const rule = this.#policy.deny.find((rule) => {
      const { pattern, port: at } = rule;
      if (pattern.kind !== "block" || (at !== undefined && at !== port)) return false;
      const { block } = pattern;
      return loopback.some((part) => isPart(part.first) && overlap(part, block)) ||
        (own ?? [block.first]).some((part) => isPart(part.unmapped()) && block.addresses.has(part));
    });
    if (rule === undefined) return undefined;
    const which = own === undefined ? "one that it may have, as the runtime does not tell them" : "one of them";
    const reason = `${ip} stands for every address of this host, and a rule of deny applies to ${which}`;
    return { reason, rule: rule.text };
  }

  #notPublic(ip: IpAddress): Verdict | undefined {
    const isOwn = [ip, ...carriedAddresses(ip)].some((place) => this.#host.has(place));
    const why = isOwn ? "an address of this host" : whyNotPublic(ip);
    return why === undefined ? undefined : { reason: `${ip} is not public: ${why}` };
  }

  #path(right: "connect" | "listen" | "bind" | "send", path: string): Verdict | undefined {
    const { deny } = this.#policy;
    if (!isPlainPath(path) && deny.some(({ pattern }) => pattern.kind === "unix")) {
      return { reason: 'only a path in its shortest absolute form can be compared with those of "deny"' };
    }
    return this.#denied((rule) => coversPath(rule, path)) ?? this.#granted(right, (rule) => coversPath(rule, path));
  }
}

const loopback: readonly Block[] = [
  blockOf(IpAddress.parse("127.0.0.0"), 8),
  blockOf(IpAddress.loopback6, 128),
];

function isUnspecified(ip: IpAddress): boolean {
  const { bytes } = ip.unmapped();
  return bytes.every((byte) => byte === 0);
}

/** Reports whether a path has one spelling only: it is absolute, without empty and dotted parts. */
function isPlainPath(path: string): boolean {
  return path.startsWith("\0") || /^(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/s.test(path);
}

/** Returns an address of a connection, which may be a user's, if it is a TCP one. */
function ipOf(connection: Connection, side: "local" | "peer"): TcpAddress | undefined {
  try {
    const address = checkStreamAddress(connection[side]);
    return address.transport === "tcp" ? address : undefined;
  } catch {
    return undefined;
  }
}
