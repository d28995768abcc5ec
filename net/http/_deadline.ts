// Copyright 2026 the Sluice authors. MIT license.

import { bridge, type Clock, noLongerNeeded, runIn, Scope, sleepOn } from "../../switch/internal.ts";

/**
 * A deadline that moves often and is rarely missed. It sleeps only while it must, and looks where
 * the deadline is when it wakes, so that most moves cost no timer.
 */
export class Deadline {
  readonly #clock: Clock;
  readonly #owner: Scope | undefined;
  readonly #missed: (ms: number) => void;
  #ms = Infinity;
  #time = Infinity;
  #sleep: Scope | undefined;
  #wakeTime = Infinity;

  /** Calls `missed` with the limit that was exceeded. Sleeps in the scope `owner`. */
  constructor(clock: Clock, owner: Scope | undefined, missed: (ms: number) => void) {
    this.#clock = clock;
    this.#owner = owner;
    this.#missed = missed;
  }

  /** Sets the deadline `ms` milliseconds from now. */
  set(ms: number): void {
    if (ms === Infinity) return this.clear();
    this.#ms = ms;
    this.#time = this.#clock.now() + ms;
    if (this.#time < this.#wakeTime) this.#arm(ms);
  }

  /** Removes the deadline. */
  clear(): void {
    this.#time = Infinity;
  }

  /** Removes the deadline, and ends the sleep. */
  stop(): void {
    this.clear();
    this.#wakeTime = Infinity;
    const sleep = this.#sleep;
    this.#sleep = undefined;
    sleep?.cancel(noLongerNeeded());
    sleep?.finish();
  }

  #arm(ms: number): void {
    const time = this.#time;
    this.stop();
    this.#time = this.#wakeTime = time;
    const sleep = this.#sleep = new Scope(this.#owner, bridge);
    const woken = () => this.#wake(sleep);
    runIn(sleep, sleepOn, this.#clock, ms).then(woken, () => sleep.finish());
  }

  #wake(sleep: Scope): void {
    if (sleep !== this.#sleep) return;
    this.#sleep = undefined;
    this.#wakeTime = Infinity;
    sleep.finish();
    if (this.#time === Infinity) return;
    const left = this.#time - this.#clock.now();
    if (left > 0) return this.#arm(left);
    this.clear();
    this.#missed(this.#ms);
  }
}
