// Copyright 2026 the Sluice authors. MIT license.

import type { Clock } from "../../switch/internal.ts";
import { DeadlineAlarm } from "../server/internal.ts";

/** What happens to a connection in time. */
export interface TimeoutEvents {
  /** Reports whether a ping can be sent now. */
  pings(): boolean;
  /** Half of the timeout is over. Called once, until something is received. */
  ping(): unknown;
  /** The timeout, or that of closing, is over. */
  expired(): void;
  /** The clock has failed. */
  failed(error: unknown): void;
}

/** The timeouts of a connection. */
export class Timeouts {
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #events: TimeoutEvents;
  readonly #alarm: DeadlineAlarm;
  #lastReceived: number;
  #pinged = false;
  /** When `closeNicely` stops waiting. */
  #closeTime = Infinity;

  constructor(clock: Clock, timeout: number, events: TimeoutEvents) {
    this.#clock = clock;
    this.#timeout = timeout;
    this.#events = events;
    this.#lastReceived = clock.now();
    this.#alarm = new DeadlineAlarm(clock, {
      next: () => Math.min(this.#pingTime, this.#endTime),
      judge: () => this.#judge(),
      failed: (error) => events.failed(error),
    });
  }

  /** Notes that bytes were received. */
  received(): void {
    this.#lastReceived = this.#clock.now();
    this.#pinged = false;
    this.set();
  }

  /** Limits closing to `ms` milliseconds. */
  limitClosing(ms: number): void {
    this.#closeTime = Math.min(this.#closeTime, this.#clock.now() + ms);
    this.set();
  }

  /** Sets the timer. Call it when pings can be sent. */
  set(): void {
    this.#alarm.set();
  }

  /** Removes the timer for good. */
  stop(): void {
    this.#alarm.stop();
  }

  get #pingTime(): number {
    return this.#events.pings() && !this.#pinged ? this.#lastReceived + this.#timeout / 2 : Infinity;
  }

  get #endTime(): number {
    return Math.min(this.#lastReceived + this.#timeout, this.#closeTime);
  }

  #judge(): void {
    const now = this.#clock.now();
    if (now >= this.#endTime) return this.#events.expired();
    if (now >= this.#pingTime) {
      this.#pinged = true;
      this.#events.ping();
    }
    this.set();
  }
}
