// Copyright 2026 the Sluice authors. MIT license.

import type { Link } from "./link_options.ts";
import type { Packet } from "./_packet.ts";

/** The bytes that wait for a link with a bandwidth. */
const queueBytes = 1 << 20;

/** The times at which a packet arrives: none if it is lost, two if it is duplicated. */
export type Fate = readonly number[];

const lost: Fate = [];

/** One direction of a link. */
export class Path {
  link: Link;
  /** Whether it loses every packet. */
  blocked = false;
  /** How many of the next packets it loses. */
  doomed = 0;
  /** Packets that have arrived while the path is held; `undefined` if it is not. */
  held: Packet[] | undefined;
  /** Returns the random numbers of this path: faults on one do not change others. */
  readonly #random: () => number;
  /** When the packet before this one has left, and when it arrives. */
  #freeAt = 0;
  #lastArrival = 0;

  constructor(link: Link, random: () => number) {
    this.link = link;
    this.#random = random;
  }

  /** Decides what becomes of a packet. */
  fateOf({ bytes, headers }: Packet, now: number): Fate {
    if (this.blocked) return lost;
    if (this.doomed > 0) {
      this.doomed--;
      return lost;
    }
    const { loss, duplicate, reorder, bandwidth, mtu } = this.link;
    let departure = now;
    const fragments = bytes + headers <= mtu ? 1 : Math.ceil(bytes / (mtu - headers));
    if (bandwidth < Infinity) {
      const start = Math.max(now, this.#freeAt);
      if ((start - now) * bandwidth / 1000 > queueBytes) return lost;
      this.#freeAt = departure = start + (bytes + fragments * headers) * 1000 / bandwidth;
    }
    if (loss > 0) {
      for (let i = 0; i < fragments; i++) if (this.#random() < loss) return lost;
    }
    const arrival = this.#arrival(departure, reorder > 0 && this.#random() < reorder);
    if (duplicate === 0 || this.#random() >= duplicate) return [arrival];
    return [arrival, this.#arrival(departure, true)];
  }

  /** Returns when a packet arrives. Later packets overtake one that is late. */
  #arrival(departure: number, late: boolean): number {
    const { latency, jitter } = this.link;
    const arrival = departure + latency + (jitter > 0 ? jitter * this.#random() : 0);
    if (late) return arrival + (latency + jitter + 1) * this.#random();
    return this.#lastArrival = Math.max(arrival, this.#lastArrival);
  }
}
