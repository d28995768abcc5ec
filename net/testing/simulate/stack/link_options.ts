// Copyright 2026 the Sluice authors. MIT license.

import { checkNumber, checkOptions } from "../../../../base/internal.ts";

/** The properties of a link between two hosts, the same in both directions. */
export interface LinkOptions {
  /**
   * How long a packet takes, in milliseconds. From a host to itself it takes 1/16 ms by default.
   *
   * @default {1}
   */
  latency?: number | undefined;
  /**
   * How much longer a packet may take, in milliseconds: a random part of it is added to the
   * latency. Packets stay in order.
   *
   * @default {0}
   */
  jitter?: number | undefined;
  /**
   * The probability that a packet is lost, from 0 to 1.
   *
   * @default {0}
   */
  loss?: number | undefined;
  /**
   * The probability that a packet arrives twice, from 0 to 1.
   *
   * @default {0}
   */
  duplicate?: number | undefined;
  /**
   * The probability that later packets overtake a packet, from 0 to 1.
   *
   * @default {0}
   */
  reorder?: number | undefined;
  /**
   * The bytes per second. Packets beyond it wait in a queue of 1 MiB, and are lost if it is full.
   *
   * @default {Infinity}
   */
  bandwidth?: number | undefined;
  /**
   * The largest packet, in bytes, with 40 or 60 bytes of headers. Larger datagrams are sent in
   * fragments, and are lost with any of them.
   *
   * @default {1500}
   */
  mtu?: number | undefined;
}

/** Checked options of a link. */
export type Link = { readonly [K in keyof LinkOptions]-?: number };

/** The default link between two hosts. */
export const defaultLink: Link = Object.freeze({
  latency: 1,
  jitter: 0,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  bandwidth: Infinity,
  mtu: 1500,
});

/**
 * The default link of a host to itself. Without any latency, two fibers that write to each other in
 * a loop would stop time. This one is a power of two, so that sums of it are exact.
 */
export const loopbackLink: Link = Object.freeze({ ...defaultLink, latency: 1 / 16, mtu: 65_536 });

/** Checks the options of a link; `base` has the values of the others. */
export function checkLink(options: LinkOptions | undefined, base: Link): Link {
  checkOptions("set a link", options);
  const link: Record<keyof LinkOptions, number> = { ...base };
  for (const [name, least, most] of limits) {
    const value = options?.[name];
    if (value === undefined) continue;
    checkNumber("set a link", name, value, least, most);
    link[name] = value;
  }
  return Object.freeze(link);
}

const limits: readonly (readonly [keyof LinkOptions, number, number])[] = [
  ["latency", 0, Number.MAX_SAFE_INTEGER],
  ["jitter", 0, Number.MAX_SAFE_INTEGER],
  ["loss", 0, 1],
  ["duplicate", 0, 1],
  ["reorder", 0, 1],
  ["bandwidth", 1, Infinity],
  ["mtu", 68, 65_536],
];
