// Copyright 2026 the Sluice authors. MIT license.

import { innerOf, type Joint, jointOf } from "../../flow/internal.ts";
import type { Clock } from "../../switch/internal.ts";
import type { Connection } from "../internal.ts";
import type { ConnectionHooks } from "../wrap/mod.ts";
import { DeadlineAlarm } from "./_alarm.ts";

/** The names of the limits. If several expire at once, the first one counts. */
export const limitNames = ["firstByte", "idle", "write", "halfClosed", "lifetime"] as const;

/** The name of a time limit. */
export type LimitName = typeof limitNames[number];

/** Time limits in milliseconds; `Infinity` if absent. */
export type Limits = Readonly<Record<LimitName, number>>;

/** Who is notified when a limit expires, once; or when the clock fails. */
export interface DeadlineEvents {
  expired(limit: LimitName): void;
  failed(error: unknown): void;
}

/**
 * The time limits of one connection. The hooks only take times, and one alarm serves all limits.
 */
export class Deadlines {
  readonly hooks: ConnectionHooks;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #events: DeadlineEvents;
  /**
   * Absent for a connection of a user, which does not report unread input and unsent output. Bytes
   * that were put back by `unread` do not count as input.
   */
  readonly #joint: Joint | undefined;
  readonly #started: number;
  /** When bytes were last read or written. */
  #active: number;
  #awaitsFirstByte = true;
  /** How many writes and shutdowns are pending, and since when they have made no progress. */
  #pending = 0;
  #stalled = 0;
  /** What the connection had not sent then. */
  #unsent = 0;
  /** When this side ended its direction, until the peer has ended too. */
  #halfClosed: number | undefined;
  #peerEnded = false;
  readonly #alarm: DeadlineAlarm;

  constructor(clock: Clock, limits: Limits, connection: Connection, events: DeadlineEvents) {
    this.#clock = clock;
    this.#limits = limits;
    this.#events = events;
    this.#joint = jointWithin(connection);
    this.#active = this.#started = clock.now();
    const settled = () => {
      this.#pending--;
    };
    this.hooks = {
      received: () => {
        this.#awaitsFirstByte = false;
        this.#active = clock.now();
      },
      sent: () => {
        this.#active = this.#stalled = clock.now();
      },
      pending: (operation) => {
        this.#begin(operation);
        return settled;
      },
      ended: () => {
        this.#awaitsFirstByte = false; // there is none
        this.#endOfPeer();
      },
      closed: () => this.stop(),
    };
    this.#alarm = new DeadlineAlarm(clock, {
      next: () => this.#next().at,
      judge: () => this.#judge(),
      failed: (error) => events.failed(error),
    });
    this.#alarm.set();
  }

  /** Removes the timer for good. */
  stop(): void {
    this.#alarm.stop();
  }

  #begin(operation: "write" | "shutdown"): void {
    const { write, halfClosed } = this.#limits;
    if (operation === "shutdown" && !this.#peerEnded) this.#halfClosed ??= this.#clock.now();
    if (this.#pending++ === 0 && write < Infinity) {
      this.#stalled = this.#clock.now();
      this.#unsent = this.#joint?.unsent ?? 0;
    }
    if (write < Infinity || halfClosed < Infinity) this.#alarm.set();
  }

  #endOfPeer(): void {
    this.#peerEnded = true;
    this.#halfClosed = undefined;
  }

  /** Returns the deadline of a limit; `Infinity` if it does not apply now. */
  #deadline(limit: LimitName): number {
    const ms = this.#limits[limit];
    switch (limit) {
      case "firstByte":
        return this.#awaitsFirstByte ? this.#started + ms : Infinity;
      case "idle":
        return this.#active + ms;
      case "write":
        return this.#pending > 0 ? this.#stalled + ms : Infinity;
      case "halfClosed":
        return this.#halfClosed === undefined ? Infinity : this.#halfClosed + ms;
      case "lifetime":
        return this.#started + ms;
    }
  }

  /** Returns the limit with the earliest deadline. */
  #next(): { readonly limit: LimitName; readonly at: number } {
    let next: { readonly limit: LimitName; readonly at: number } = { limit: "lifetime", at: Infinity };
    for (const limit of limitNames) {
      const at = this.#deadline(limit);
      if (at < next.at) next = { limit, at };
    }
    return next;
  }

  #judge(): void {
    const now = this.#clock.now();
    const unsent = this.#pending > 0 ? this.#joint?.unsent ?? 0 : this.#unsent;
    if (unsent !== this.#unsent) {
      this.#unsent = unsent;
      this.#active = this.#stalled = now;
    }
    if (this.#deadline("idle") <= now && (this.#joint?.input ?? undefined) !== undefined) this.#active = now;
    if (this.#deadline("halfClosed") <= now && this.#joint?.input === null) this.#endOfPeer();
    const { limit, at } = this.#next();
    if (now < at) return this.#alarm.set();
    this.stop();
    this.#events.expired(limit);
  }
}

/** Returns the joint of a flow, or of the next flow inside that has one. */
function jointWithin(flow: object): Joint | undefined {
  for (let at: object | undefined = flow; at !== undefined; at = innerOf(at)) {
    const joint = jointOf(at);
    if (joint !== undefined) return joint;
  }
  return undefined;
}
