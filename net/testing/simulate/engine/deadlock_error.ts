// Copyright 2026 the Sluice authors. MIT license.

import { freezeClass } from "../../../../base/internal.ts";

/**
 * The error of a simulation in which everything waits, and nothing is left to happen.
 *
 * @example Reading from a peer that never writes
 * ```ts
 * import { awaitCancel } from "@sluice/io";
 * import { DeadlockError, simulate } from "@sluice/io/net/testing";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => simulate({}, () => awaitCancel()), DeadlockError);
 * ```
 */
export class DeadlockError extends Error {
  static {
    freezeClass(this);
  }

  /** The virtual time, in milliseconds. */
  readonly time: number;
  /** What waits, as `Switch.dump` shows it: each host is a switch with its name. */
  readonly dump: string;

  /**
   * Creates an error.
   *
   * @param time The virtual time, in milliseconds.
   * @param why What happened.
   * @param dump What waits.
   */
  constructor(time: number, why: string, dump: string) {
    super(`Cannot continue the simulation at ${time} ms: ${why}\n${dump}`);
    this.name = "DeadlockError";
    this.time = time;
    this.dump = dump;
  }
}
