// Copyright 2026 the Sluice authors. MIT license.

import { type Address, IpAddress } from "../../mod.ts";
import { systemError } from "./_system_error.ts";

/** The ports that the system chooses: those of Linux. */
const lowest = 32_768;
const highest = 60_999;

/** At which of the host's addresses something is bound. */
export interface Interface {
  /** One of them, or all. */
  readonly ip: IpAddress;
  /** Whether `::` keeps IPv4 out. */
  readonly ipv6Only?: boolean;
}

/** What is to be bound. */
export interface BindRequest extends Interface {
  /** 0 leaves the port to the system. */
  readonly port: number;
  /** Whether it shares the port with others that share it. */
  readonly shares?: boolean;
}

/** Something that is bound to a port. */
export interface Bound<T> extends BindRequest {
  /** The real port. */
  readonly port: number;
  /** What receives there, if anything does. */
  owner: T | undefined;
  release(): void;
}

/** The ports of one transport: what is bound to each. */
export class Ports<T> {
  readonly #bound: Map<number, Bound<T>[]> = new Map();
  #next = lowest;

  /**
   * Binds an address.
   *
   * @param explain Makes the address that an error names.
   */
  bind(request: BindRequest, explain: (port: number) => Address): Bound<T> {
    const port = request.port === 0 ? this.#choose(request, explain) : request.port;
    const others = this.#bound.get(port) ?? [];
    const bound: Bound<T> = { ...request, port, owner: undefined, release: () => this.#release(bound) };
    if (others.some((other) => overlap(bound, other) && !(bound.shares && other.shares))) {
      throw systemError("EADDRINUSE", "bind", explain(port));
    }
    this.#bound.set(port, [...others, bound]);
    return bound;
  }

  /**
   * Finds what receives at an address, and would rather receive than others do: a larger rank comes first, then what is
   * bound to this very address. Those that share a port take turns.
   *
   * @param rank How well something fits; 0 for not at all.
   */
  find(ip: IpAddress, port: number, rank: (owner: T) => number = () => 1): T | undefined {
    const all = this.#bound.get(port) ?? [];
    let best: Bound<T> | undefined;
    let highest = 0;
    for (const bound of all) {
      if (bound.owner === undefined || !covers(bound, ip)) continue;
      const height = 2 * rank(bound.owner) + (isAny(bound.ip) ? 0 : 1);
      if (height < 2 || height <= highest) continue;
      best = bound;
      highest = height;
    }
    if (best !== undefined && all.length > 1) this.#bound.set(port, [...all.filter((each) => each !== best), best]);
    return best?.owner;
  }

  #choose(request: BindRequest, explain: (port: number) => Address): number {
    for (let tries = lowest; tries <= highest; tries++) {
      const port = this.#next;
      this.#next = port === highest ? lowest : port + 1;
      if (!this.#bound.has(port)) return port;
    }
    throw systemError("EADDRINUSE", "bind", explain(request.port));
  }

  #release(bound: Bound<T>): void {
    const others = this.#bound.get(bound.port)?.filter((other) => other !== bound) ?? [];
    if (others.length === 0) this.#bound.delete(bound.port);
    else this.#bound.set(bound.port, others);
  }
}

/** Whether it is the address of all interfaces. */
export function isAny(ip: IpAddress): boolean {
  return ip.equals(IpAddress.any4) || ip.equals(IpAddress.any6);
}

/** Whether what is bound there receives what is sent to `ip`. */
export function covers({ ip: own, ipv6Only }: Interface, ip: IpAddress): boolean {
  if (own.equals(ip)) return true;
  return isAny(own) && (own.version === ip.version || (own.version === 6 && !ipv6Only));
}

function overlap(one: Interface, other: Interface): boolean {
  return covers(one, other.ip) || covers(other, one.ip);
}
