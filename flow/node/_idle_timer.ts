// Copyright 2026 the Sluice authors. MIT license.

import { emitWarning } from "node:process";
import { longestTimer, startTimer, type Timer } from "../../switch/internal.ts";
import { coded } from "./_node_error.ts";

/**
 * A timer that fires once after a time without activity, and is re-armed by the next activity. It
 * does not keep the process alive.
 */
export class IdleTimer {
  readonly #ring: () => void;
  #timer: Timer | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Restarts the timer with a new duration in milliseconds; 0 disables it. */
  set(ms: number): void {
    const limited = checkDuration(ms);
    this.stop();
    if (limited === 0) return;
    this.#timer = startTimer(limited, this.#ring);
    this.#timer.unref();
  }

  /** Notes activity. */
  touch(): void {
    this.#timer?.restart();
  }

  /** Stops the timer for good. */
  stop(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }
}

/**
 * Rejects the durations that `setTimeout` of a `node:net` socket rejects, and clamps those that it
 * clamps.
 */
function checkDuration(ms: number): number {
  if (typeof ms !== "number") {
    throw coded("ERR_INVALID_ARG_TYPE", `Cannot set timeout: must be a number, not ${typeof ms}`, undefined, TypeError);
  }
  if (!(ms >= 0 && ms < Infinity)) {
    const message = `Cannot set timeout ${ms}: must be a non-negative finite number`;
    throw coded("ERR_OUT_OF_RANGE", message, undefined, RangeError);
  }
  if (ms <= longestTimer) return ms;
  emitWarning(`${ms} does not fit into a 32-bit signed integer. The timeout was set to ${longestTimer}`, {
    type: "TimeoutOverflowWarning",
  });
  return longestTimer;
}
