// Copyright 2026 the Sluice authors. MIT license.

import { checkNumber, checkWhole, describe } from "../../../base/internal.ts";
import { seededRandom } from "../internal.ts";
import { hashText } from "./stack/internal.ts";

/** How many faults to draw from each seed, for {@linkcode checkSeeds}. */
export interface FaultPlan {
  /**
   * Partitions of two hosts, half of them of one direction only. Each ends by itself.
   *
   * @default {0}
   */
  partitions?: number | undefined;
  /**
   * Crashes of hosts. Each host is started again after a while.
   *
   * @default {0}
   */
  crashes?: number | undefined;
  /**
   * Pauses of hosts.
   *
   * @default {0}
   */
  pauses?: number | undefined;
  /**
   * Single packets that are lost.
   *
   * @default {0}
   */
  drops?: number | undefined;
  /**
   * The virtual time in which faults begin, in milliseconds. Each lasts up to half of it.
   *
   * @default {10_000}
   */
  within?: number | undefined;
}

/** A fault of a simulation as plain data. */
export interface SimFault {
  /** What happens. A `drop` loses the next packet from `host` to `peer`. */
  readonly what: "partition" | "partition oneway" | "crash" | "pause" | "drop";
  /** When it happens, in milliseconds of virtual time. */
  readonly at: number;
  /** How long it lasts, in milliseconds of virtual time; 0 for a `drop`. */
  readonly for: number;
  /** The name of the host. */
  readonly host: string;
  /** The name of the other host of a `partition` or a `drop`. */
  readonly peer?: string | undefined;
}

/**
 * A fault whose hosts are chosen when it happens: each number stands for one of the hosts that
 * exist.
 */
export interface PlannedFault extends Omit<SimFault, "host" | "peer"> {
  readonly host: string | number;
  readonly peer?: string | number | undefined;
}

/** Draws the faults of a seed, in the order of their times. */
export function drawFaults(plan: FaultPlan, seed: number): PlannedFault[] {
  const { partitions = 0, crashes = 0, pauses = 0, drops = 0, within = 10_000 } = plan;
  for (const [name, count] of Object.entries({ partitions, crashes, pauses, drops })) {
    checkWhole("draw faults", name, count, 0);
  }
  checkNumber("draw faults", "within", within, 1, Number.MAX_SAFE_INTEGER);
  const random = seededRandom(seed ^ hashText("faults"));
  const below = (limit: number) => Math.floor(random() * limit);
  const faults: PlannedFault[] = [];
  const draw = (count: number, what: () => SimFault["what"]) => {
    for (let i = 0; i < count; i++) {
      const kind = what();
      const lasts = kind === "drop" ? 0 : 1 + below(within / 2);
      faults.push({ what: kind, at: below(within), for: lasts, host: random(), peer: random() });
    }
  };
  draw(partitions, () => random() < 0.5 ? "partition" : "partition oneway");
  draw(crashes, () => "crash");
  draw(pauses, () => "pause");
  draw(drops, () => "drop");
  return faults.sort((a, b) => a.at - b.at);
}

/** Checks faults that were drawn before. */
export function checkFaults(faults: readonly SimFault[]): readonly SimFault[] {
  for (const fault of faults) {
    if (typeof fault !== "object" || fault === null || !kinds.has(fault.what)) {
      throw new TypeError(`Cannot replay a fault: ${describe(fault)} is not a SimFault`);
    }
    checkNumber("replay a fault", "at", fault.at, 0, Number.MAX_SAFE_INTEGER);
    checkNumber("replay a fault", "for", fault.for, 0, Number.MAX_SAFE_INTEGER);
  }
  return faults;
}

const kinds: ReadonlySet<SimFault["what"]> = new Set(["partition", "partition oneway", "crash", "pause", "drop"]);
