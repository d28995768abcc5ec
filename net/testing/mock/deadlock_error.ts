// Copyright 2026 the Sluice authors. MIT license.

import { freezeClass } from "../../../base/internal.ts";

/**
 * The error of a test in which everything waits, and nothing is left to happen.
 *
 * @example Reading from a peer that never writes
 * ```ts
 * import { pipe, Switch } from "@sluice/io";
 * import { DeadlockError, mockClock } from "@sluice/io/net/testing";
 * import { assertMatch, assertRejects } from "@std/assert";
 *
 * mockClock({ autoAdvance: true });
 * const [end] = pipe();
 * const error = await assertRejects(() => Switch.run(() => end.read(new Uint8Array(1))), DeadlockError);
 * assertMatch(error.dump, /waiting: read/);
 * ```
 */
export class DeadlockError extends Error {
  static {
    freezeClass(this);
  }

  /** The time of the clock, in milliseconds. */
  readonly time: number;
  /** What waits, as `Switch.dump` shows it. */
  readonly dump: string;

  /**
   * Creates an error.
   *
   * @param time The time of the clock, in milliseconds.
   * @param why What happened.
   * @param dump What waits.
   */
  constructor(time: number, why: string, dump: string) {
    super(`Cannot continue at ${time} ms: ${why}\n${dump}`);
    this.name = "DeadlockError";
    this.time = time;
    this.dump = dump;
  }
}
