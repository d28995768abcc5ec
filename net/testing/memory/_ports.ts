// Copyright 2026 the Sluice authors. MIT license.

import { type Address, IpAddress } from "../../mod.ts";
import { systemError } from "./_system_error.ts";

/** The range of ephemeral ports: that of Linux. */
const firstPort = 32_768;
const lastPort = 60_999;

/** The local addresses at which something is bound. */
export interface Interface {
  /** One address, or the wildcard. */
  readonly ip: IpAddress;
  /** Whether `::` excludes IPv4. */
  readonly ipv6Only?: boolean;
}

/** A request to bind a port. */
export interface BindRequest extends Interface {
  /** The port; 0 for an ephemeral one. */
  readonly port: number;
  /** Whether it shares the port with others that do so. */
  readonly shares?: boolean;
}

/** A bound port. */
export interface Bound<T> extends BindRequest {
  /** The real port. */
  readonly port: number;
  /** The receiver there, if any. */
  owner: T | undefined;
  release(): void;
}

/** The ports of one transport, and what is bound to them. */
export class Ports<T> {
  readonly #bound: Map<number, Bound<T>[]> = new Map();
  #next = firstPort;

  /**
   * Binds an address.
   *
   * @param nameOf Returns the address to name in an error.
   */
  bind(request: BindRequest, nameOf: (port: number) => Address): Bound<T> {
    const port = request.port === 0 ? this.#choose(request, nameOf) : request.port;
    const others = this.#bound.get(port) ?? [];
    const bound: Bound<T> = { ...request, port, owner: undefined, release: () => this.#release(bound) };
    if (others.some((other) => overlap(bound, other) && !(bound.shares && other.shares))) {
      throw systemError("EADDRINUSE", "bind", nameOf(port));
    }
    this.#bound.set(port, [...others, bound]);
    return bound;
  }

  /**
   * Returns the receiver for an address: the one with the highest rank, and among equals the one
   * bound to the exact address. Receivers that share a port take turns.
   *
   * @param rank Returns how well a receiver fits; 0 excludes it.
   */
  find(ip: IpAddress, port: number, rank: (owner: T) => number = () => 1): T | undefined {
    const all = this.#bound.get(port) ?? [];
    let best: Bound<T> | undefined;
    let bestScore = 0;
    for (const bound of all) {
      if (bound.owner === undefined || !covers(bound, ip)) continue;
      const score = 2 * rank(bound.owner) + (isWildcard(bound.ip) ? 0 : 1);
      if (score < 2 || score <= bestScore) continue;
      best = bound;
      bestScore = score;
    }
    if (best !== undefined && all.length > 1) this.#bound.set(port, [...all.filter((each) => each !== best), best]);
    return best?.owner;
  }

  #choose(request: BindRequest, nameOf: (port: number) => Address): number {
    for (let tries = firstPort; tries <= lastPort; tries++) {
      const port = this.#next;
      this.#next = port === lastPort ? firstPort : port + 1;
      if (!this.#bound.has(port)) return port;
    }
    throw systemError("EADDRINUSE", "bind", nameOf(request.port));
  }

  #release(bound: Bound<T>): void {
    const others = this.#bound.get(bound.port)?.filter((other) => other !== bound) ?? [];
    if (others.length === 0) this.#bound.delete(bound.port);
    else this.#bound.set(bound.port, others);
  }
}

/** Reports whether an address is the wildcard. */
export function isWildcard(ip: IpAddress): boolean {
  return ip.equals(IpAddress.any4) || ip.equals(IpAddress.any6);
}

/** Reports whether a binding receives what is sent to `ip`. */
export function covers({ ip: own, ipv6Only }: Interface, ip: IpAddress): boolean {
  if (own.equals(ip)) return true;
  return isWildcard(own) && (own.version === ip.version || (own.version === 6 && !ipv6Only));
}

function overlap(one: Interface, other: Interface): boolean {
  return covers(one, other.ip) || covers(other, one.ip);
}
