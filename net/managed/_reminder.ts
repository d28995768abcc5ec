// Copyright 2026 the Sluice authors. MIT license.

import { type Clock, macrotask } from "../../switch/internal.ts";
import { Alarm, turnsToPoll } from "../server/internal.ts";

/** What a {@linkcode Reminder} needs of its owner. */
export interface ReminderTerms {
  /** Returns when something is due; `Infinity` if nothing is. */
  due(): number;
  /** Called when something is due. */
  ring(): void;
  /** Called if the clock fails. */
  failed(error: unknown): void;
}

/**
 * A timer whose time may move: it rings at the earliest time that was known when it was set, and is
 * set again if that has moved in the meantime.
 */
export class Reminder {
  readonly #clock: Clock;
  readonly #terms: ReminderTerms;
  #alarm: Alarm | undefined;
  /** When the alarm rings. */
  #rings = Infinity;
  #stopPolling: (() => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, terms: ReminderTerms) {
    this.#clock = clock;
    this.#terms = terms;
  }

  /** Sets the timer, unless it rings early enough. Call it when a time may have come nearer. */
  set(): void {
    const due = this.#terms.due();
    if (this.#stopped || this.#stopPolling !== undefined || due >= this.#rings) return;
    this.#alarm?.stop();
    this.#rings = due;
    const ms = due - this.#clock.now();
    this.#alarm = new Alarm(this.#clock, ms, () => this.#rang(), (error) => this.#terms.failed(error));
  }

  /** Removes the timer for good. */
  stop(): void {
    this.#stopped = true;
    this.#alarm?.stop();
    this.#stopPolling?.();
  }

  #rang(): void {
    this.#alarm = undefined;
    this.#rings = Infinity;
    const late = this.#clock.now() - this.#terms.due();
    if (late >= 1) this.#poll(turnsToPoll);
    else if (late >= 0) this.#terms.ring();
    this.set();
  }

  /** Rings after some turns of the event loop, in which what the system has is read. */
  #poll(turns: number): void {
    this.#stopPolling = macrotask(() => {
      if (turns > 1) return this.#poll(turns - 1);
      this.#stopPolling = undefined;
      if (this.#clock.now() >= this.#terms.due()) this.#terms.ring();
      this.set();
    });
  }
}
