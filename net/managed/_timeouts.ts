// Copyright 2026 the Sluice authors. MIT license.

import { type Clock, macrotask } from "../../switch/internal.ts";
import { Alarm, turnsToPoll } from "../server/internal.ts";

/** What happens to a connection in time. */
export interface TimeoutEvents {
  /** Whether a ping can be sent now. */
  readonly pings: boolean;
  /** Half of the timeout is over. Called once, until something is received. */
  ping(): unknown;
  /** The timeout, or that of closing, is over. */
  expired(): void;
  /** The clock has failed. */
  failed(error: unknown): void;
}

/**
 * The timeouts of a connection. One timer rings at the earliest time that was known when it was
 * set. By then that has usually moved, and the timer is set again.
 */
export class Timeouts {
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #events: TimeoutEvents;
  #lastReceived: number;
  #pinged = false;
  /** When closing nicely gives up. */
  #closeTime = Infinity;
  #alarm: Alarm | undefined;
  /** When the alarm rings. */
  #rings = Infinity;
  #stopPolling: (() => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, timeout: number, events: TimeoutEvents) {
    this.#clock = clock;
    this.#timeout = timeout;
    this.#events = events;
    this.#lastReceived = clock.now();
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

  /** Sets the timer, unless it rings early enough. Call it when pings can be sent. */
  set(): void {
    const due = Math.min(this.#pingTime, this.#endTime);
    if (this.#stopped || this.#stopPolling !== undefined || due >= this.#rings) return;
    this.#alarm?.stop();
    this.#rings = due;
    const ms = due - this.#clock.now();
    this.#alarm = new Alarm(this.#clock, ms, () => this.#rang(), (error) => this.#events.failed(error));
  }

  /** Removes the timer for good. */
  stop(): void {
    this.#stopped = true;
    this.#alarm?.stop();
    this.#stopPolling?.();
  }

  get #pingTime(): number {
    return this.#events.pings && !this.#pinged ? this.#lastReceived + this.#timeout / 2 : Infinity;
  }

  get #endTime(): number {
    return Math.min(this.#lastReceived + this.#timeout, this.#closeTime);
  }

  #rang(): void {
    this.#rings = Infinity;
    const late = this.#clock.now() - Math.min(this.#pingTime, this.#endTime);
    // The program was busy: what has arrived meanwhile is read first.
    if (late >= 1) this.#judgeAfter(turnsToPoll);
    else this.#judge();
  }

  #judgeAfter(turns: number): void {
    this.#stopPolling = macrotask(() => {
      if (turns > 1) return this.#judgeAfter(turns - 1);
      this.#stopPolling = undefined;
      this.#judge();
    });
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
