// Copyright 2026 the Sluice authors. MIT license.

import { type Clock, currentScope, refused, Waiter, yieldNow } from "../../../../switch/internal.ts";
import type { Engine, ScheduledEvent } from "./engine.ts";

/** How a host sees the time. */
export interface ClockTerms {
  /** What its clock shows at the virtual time 0, in milliseconds. */
  readonly skew: number;
  /** How fast its clock runs: 2 is twice as fast. */
  readonly rate: number;
  /** Calls `fn` as soon as the code of the host runs. */
  tell(fn: () => void): void;
}

/** The virtual time as seen by a host. */
export function clockOf(engine: Engine, { skew, rate, tell }: ClockTerms): Clock {
  const now = () => skew + engine.now * rate;

  function sleepUntil(time: number): Promise<void> {
    const refusal = refused();
    if (refusal !== undefined) return refusal;
    if (!(time > now())) return yieldNow();
    let event: ScheduledEvent | undefined;
    const waiter: Waiter<void> = new Waiter(
      "sleep",
      (_, reason) => {
        if (event !== undefined) engine.cancel(event);
        waiter.reject(reason);
      },
      undefined,
      currentScope(),
    );
    const ring = () =>
      tell(() => {
        engine.wake();
        waiter.resolve();
      });
    if (time < Infinity) event = engine.at(whenIs(time), ring);
    return waiter.promise;
  }

  /** Returns the virtual time at which the clock shows at least `time`. */
  function whenIs(time: number): number {
    let at = (time - skew) / rate;
    for (let step = 1e-12; skew + at * rate < time; step *= 2) at += step;
    return at;
  }

  return Object.freeze({ now, sleep: (ms: number): Promise<void> => sleepUntil(now() + ms), sleepUntil });
}
