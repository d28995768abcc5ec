// Copyright 2026 the Sluice authors. MIT license.

import { checkMilliseconds, checkShape, checkWhole, describe } from "../../base/internal.ts";
import type { Clock } from "../../switch/internal.ts";
import { checkPoolHandler, type PoolHandler } from "./callbacks.ts";

/**
 * Options of every connection of a pool.
 *
 * @typeParam S The type of the state of a connection.
 */
export interface PoolOptions<S> {
  /**
   * Returns the initial state. Called once for each connection.
   *
   * @returns The state.
   */
  state: () => S;
  /**
   * The clock that measures the time.
   *
   * @default {the clock of the listener's network}
   */
  clock?: Clock | undefined;
  /**
   * How long to wait for input until `timedOut` is called, in milliseconds: > 0, or `Infinity`. A
   * message does not extend it. It also limits the reads of a callback.
   *
   * @default {60_000}
   */
  receiveTimeout?: number | undefined;
  /**
   * How long a write may make no progress, in milliseconds: > 0, or `Infinity`.
   *
   * @default {30_000}
   */
  sendTimeout?: number | undefined;
  /**
   * How much input is buffered, in bytes: a whole number >= 1. No more is passed to `received` at
   * once, or can be required by `readExact` and `peek`.
   *
   * @default {65_536}
   */
  maxBuffer?: number | undefined;
}

/** The limits of one connection. Times are in milliseconds. */
export interface PoolLimits {
  readonly receiveTimeout: number;
  readonly sendTimeout: number;
  readonly maxBuffer: number;
}

/** Checked arguments of a pool. */
export interface PoolTerms extends PoolLimits {
  readonly handler: PoolHandler<unknown>;
  readonly clock: Clock | undefined;
  readonly state: () => unknown;
}

/** Checks what all pools have in common. */
export function checkPool<S>(action: string, handler: PoolHandler<S>, options: Partial<PoolOptions<S>>): PoolTerms {
  checkPoolHandler(action, handler);
  const { clock, state, receiveTimeout = 60_000, sendTimeout = 30_000, maxBuffer = 64 * 1024 } = options;
  if (clock !== undefined) checkShape(action, "clock", "a Clock", clock, "now", "sleep");
  if (typeof state !== "function") {
    throw new TypeError(`Cannot ${action} as state must be a function: current value is ${describe(state)}`);
  }
  checkTimeout(action, "receiveTimeout", receiveTimeout);
  checkTimeout(action, "sendTimeout", sendTimeout);
  checkWhole(action, "maxBuffer", maxBuffer, 1);
  return { handler: handler as PoolHandler<unknown>, clock, state, receiveTimeout, sendTimeout, maxBuffer };
}

function checkTimeout(action: string, name: string, ms: number): void {
  checkMilliseconds(action, name, ms);
  if (ms === 0) throw new RangeError(`Cannot ${action} as ${name} must be > 0 milliseconds: current value is 0`);
}
