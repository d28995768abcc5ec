// Copyright 2026 the Sluice authors. MIT license.

import { checkBoolean, checkFunction, checkNumber, checkOptions, checkWhole } from "../../../base/internal.ts";
import { IpAddress } from "../../mod.ts";
import type { HostOptions, SimHost } from "./sim.ts";
import { checkLink, defaultLink, type Link, type LinkOptions } from "./stack/internal.ts";

/** Options for {@linkcode simulate}. */
export interface SimOptions {
  /**
   * The seed of all random choices: any whole number, of which the low 32 bits count.
   *
   * @default {0}
   */
  seed?: number | undefined;
  /**
   * The virtual time, in milliseconds, after which the simulation fails with a `TimeoutError`.
   *
   * @default {Infinity}
   */
  deadline?: number | undefined;
  /**
   * The properties of a link that has none of its own.
   *
   * @default {{}}
   */
  link?: LinkOptions | undefined;
  /**
   * The most events, after which the simulation fails.
   *
   * @default {Infinity}
   */
  maxEvents?: number | undefined;
  /**
   * Whether a promise that settles without an event of the simulation, such as one of a file or of
   * a worker, is a `DeadlockError` unless it is waited for by {@linkcode Sim.external}. One that
   * settles while code still reacts to an event is not noticed.
   *
   * @default {false}
   */
  strict?: boolean | undefined;
  /**
   * How many of the latest events {@linkcode Sim.trace} keeps; 0 for none. The hash is of all.
   *
   * @default {100_000}
   */
  trace?: number | undefined;
}

/** Checked options of a simulation. */
export interface SimTerms {
  readonly seed: number;
  readonly deadline: number;
  readonly link: Link;
  readonly maxEvents: number;
  readonly strict: boolean;
  readonly trace: number;
}

export function checkSimOptions(options: SimOptions | undefined): SimTerms {
  checkOptions("simulate", options);
  const { seed = 0, deadline = Infinity, link, maxEvents = Infinity, strict = false, trace = 100_000 } = options ?? {};
  checkWhole("simulate", "seed", seed, Number.MIN_SAFE_INTEGER);
  checkNumber("simulate", "deadline", deadline, 0, Infinity);
  checkWhole("simulate", "maxEvents", maxEvents, 1, true);
  checkBoolean("simulate", "strict", strict);
  checkWhole("simulate", "trace", trace, 0, true);
  return { seed, deadline, link: checkLink(link, defaultLink), maxEvents, strict, trace };
}

/** Checked options of a host. */
export interface HostTerms {
  readonly ip: IpAddress | undefined;
  readonly ip6: IpAddress | undefined;
  readonly maxSockets: number;
  readonly clockSkew: number;
  readonly clockRate: number;
  readonly main: ((host: SimHost) => unknown) | undefined;
}

export function checkHostOptions(options: HostOptions | undefined): HostTerms {
  checkOptions("add a host", options);
  const { ip, ip6, maxSockets = Infinity, clockSkew = 0, clockRate = 1, main } = options ?? {};
  checkWhole("add a host", "maxSockets", maxSockets, 0, true);
  checkNumber("add a host", "clockSkew", clockSkew, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  checkNumber("add a host", "clockRate", clockRate, 1 / 1024, 1024);
  if (main !== undefined) checkFunction("add a host", main);
  return { ip: toIp("ip", ip, 4), ip6: toIp("ip6", ip6, 6), maxSockets, clockSkew, clockRate, main };
}

function toIp(name: string, value: string | IpAddress | undefined, version: 4 | 6): IpAddress | undefined {
  if (value === undefined) return undefined;
  const ip = IpAddress.isIpAddress(value) ? value : IpAddress.parse(value);
  if (ip.version === version) return ip;
  throw new TypeError(`Cannot add a host as ${name} must be an IPv${version} address: current value is ${ip}`);
}
