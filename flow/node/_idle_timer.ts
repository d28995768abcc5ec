// Copyright 2026 the Sluice authors. MIT license.

import { emitWarning } from "node:process";
import { longestTimer, startTimer, type Timer } from "../../switch/internal.ts";
import { coded } from "./_node_error.ts";

/**
 * Rings once after a time without activity, and again after the next activity and such a time. It does not keep the
 * process running.
 */
export class IdleTimer {
  readonly #ring: () => void;
  #timer: Timer | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Sets the time, from now on, in milliseconds; 0 is never. */
  set(ms: number): void {
    const limited = checkDuration(ms);
    this.stop();
    if (limited === 0) return;
    this.#timer = startTimer(limited, this.#ring);
    this.#timer.unref();
  }

  /** Tells of activity. */
  touch(): void {
    this.#timer?.restart();
  }

  /** Never rings again. */
  stop(): void {
    this.#timer?.stop();
    this.#timer = undefined;
  }
}

/** Refuses what `setTimeout` of a socket of `node:net` refuses, and limits what that limits. */
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
