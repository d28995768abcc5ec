// Copyright 2026 the Sluice authors. MIT license.

import { ignore } from "../../flow/internal.ts";
import { type Clock, macrotask, noLongerNeeded, runIn, Scope, sleepOn } from "../../switch/internal.ts";

/**
 * A one-shot timer on any clock. It sleeps in a scope of its own, and so is not in the dump of the
 * code that sets it, nor cancelled with it.
 */
export class Alarm {
  readonly #scope: Scope = new Scope(undefined, "alarm");
  #stopped = false;

  /** Calls `ring` after `ms` milliseconds, or `failed` if the clock fails. */
  constructor(clock: Clock, ms: number, ring: () => void, failed: (error: unknown) => void) {
    runIn(this.#scope, () => sleepOn(clock, ms)).then(
      () => this.#stopped || ring(),
      (error) => this.#stopped || failed(error),
    ).catch(ignore);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#scope.cancel(noLongerNeeded());
    this.#scope.finish();
  }
}

/**
 * How many turns of the event loop pass before a timer that rings late counts: if the loop was
 * blocked, timers run before input that has arrived meanwhile. Deno polls the system every 61 turns.
 */
export const turnsToPoll = 64;

/** The deadline of a {@linkcode DeadlineAlarm}, and what happens then. */
export interface AlarmEvents {
  /** Returns the time as it stands now; `Infinity` if there is none. */
  next(): number;
  /** Called when it may have passed. It looks at the time again, and calls `set` or `stop`. */
  judge(): void;
  /** Called when the clock has failed. */
  failed(error: unknown): void;
}

/**
 * A timer for a deadline that moves. It rings at the earliest time that was known when it was set.
 * By then the deadline has usually moved, and the timer is set again.
 */
export class DeadlineAlarm {
  readonly #clock: Clock;
  readonly #events: AlarmEvents;
  /** When the alarm rings. */
  #rings = Infinity;
  #alarm: Alarm | undefined;
  #stopJudging: (() => void) | undefined;
  #stopped = false;

  constructor(clock: Clock, events: AlarmEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** Sets the timer, unless it rings early enough. Call it when the deadline may have come nearer. */
  set(): void {
    if (this.#stopped || this.#stopJudging !== undefined) return;
    const time = this.#events.next();
    if (time >= this.#rings) return;
    this.#alarm?.stop();
    this.#rings = time;
    const ms = time - this.#clock.now();
    this.#alarm = new Alarm(this.#clock, ms, () => this.#ring(), (error) => this.#events.failed(error));
  }

  /** Removes the timer for good. */
  stop(): void {
    this.#stopped = true;
    this.#alarm?.stop();
    this.#stopJudging?.();
  }

  #ring(): void {
    this.#alarm?.stop();
    this.#rings = Infinity;
    const late = this.#clock.now() - this.#events.next();
    if (late < 0) return this.set();
    this.#judgeAfter(late < 1 ? 1 : turnsToPoll);
  }

  /** Judges after some turns of the event loop, in which what the system has is read and written. */
  #judgeAfter(turns: number): void {
    this.#stopJudging = macrotask(() => {
      if (turns > 1) return this.#judgeAfter(turns - 1);
      this.#stopJudging = undefined;
      this.#events.judge();
    });
  }
}
