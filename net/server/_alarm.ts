// Copyright 2026 the Sluice authors. MIT license.

import { ignore } from "../../flow/internal.ts";
import { type Clock, noLongerNeeded, runIn, Scope, sleepOn } from "../../switch/internal.ts";

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
