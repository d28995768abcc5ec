// Copyright 2026 the Sluice authors. MIT license.

import {
  bridge,
  type Clock,
  currentScope,
  noLongerNeeded,
  runIn,
  Scope,
  sleepOn,
  Waiter,
} from "../../switch/internal.ts";

/**
 * A deadline that moves often and is rarely missed. When its sleep ends, it sleeps again if the
 * deadline has moved meanwhile, so that most moves need no new timer.
 */
export class Deadline {
  readonly #clock: Clock;
  readonly #owner: Scope | undefined;
  readonly #missed: (ms: number) => void;
  #ms = Infinity;
  #time = Infinity;
  #sleep: Sleep | undefined;

  /** Calls `missed` with the limit that was exceeded. It ends with the scope `owner`. */
  constructor(clock: Clock, owner: Scope | undefined, missed: (ms: number) => void) {
    this.#clock = clock;
    this.#owner = owner;
    this.#missed = missed;
  }

  /** Sets the deadline `ms` milliseconds from now. */
  set(ms: number): void {
    if (ms === Infinity) return this.clear();
    const time = this.#clock.now() + ms;
    this.#ms = ms;
    this.#time = time;
    if (this.#sleep !== undefined && this.#sleep.until <= time) return;
    this.#sleep?.end();
    this.#arm(ms);
  }

  /** Removes the deadline. */
  clear(): void {
    this.#time = Infinity;
  }

  /** Removes the deadline, and ends the sleep. */
  stop(): void {
    this.clear();
    this.#sleep?.end();
    this.#sleep = undefined;
  }

  #arm(ms: number): void {
    const woken = () => {
      if (this.#sleep === sleep) this.#wake();
    };
    const sleep = this.#sleep = runIn(this.#owner, () => new Sleep(this.#time, () => this.stop()));
    sleep.begin(this.#clock, ms, woken);
  }

  #wake(): void {
    this.#sleep = undefined;
    if (this.#time === Infinity) return;
    const left = this.#time - this.#clock.now();
    if (left > 0) return this.#arm(left);
    this.clear();
    this.#missed(this.#ms);
  }
}

/** A sleep in the current scope, until it is ended. */
class Sleep {
  readonly until: number;
  readonly #scope: Scope = new Scope(currentScope(), bridge);
  readonly #waiter: Waiter<void>;

  /** Calls `cancelled` when the current scope is cancelled, or ends. */
  constructor(until: number, cancelled: () => void) {
    this.until = until;
    // The scope of a bridge outlives its parent; an operation that waits in the parent does not.
    this.#waiter = new Waiter("sleep", (waiter) => {
      waiter.resolve();
      cancelled();
    });
  }

  begin(clock: Clock, ms: number, woken: () => void): void {
    runIn(this.#scope, sleepOn, clock, ms).then(() => {
      this.end();
      woken();
    }, () => this.end());
  }

  end(): void {
    this.#waiter.resolve();
    this.#scope.cancel(noLongerNeeded());
    this.#scope.finish();
  }
}
