// Copyright 2026 the Sluice authors. MIT license.

import { checkClock, checkMilliseconds, checkOptions, describe } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { asOperation, type Clock, first, sleepOn } from "../../switch/internal.ts";
import { type ListeningSocket, type Watch, watchOf } from "../internal.ts";
import { nextChange } from "./_next_change.ts";
import type { ManagedConnection } from "./managed_connection.ts";
import type { ManagedSet } from "./managed_set.ts";

/** Options for {@linkcode waitAny}. */
export interface WaitAnyOptions {
  /**
   * How long to wait, in milliseconds.
   *
   * @default {Infinity}
   */
  timeout?: number | undefined;
}

/**
 * Waits until one of several things changes: a connection, as its `changed` says, or a set; or
 * until a listener has a connection, which stays there for `accept`, or is closed.
 *
 * Changes before the call do not count: look at the connections, and wait at once, without an
 * `await` between.
 *
 * A listener that has a connection already ends the wait at once. A connection that has ended, a
 * closed listener, and a set whose switch has ended can change no more: they are left out, and if
 * nothing else is in the list, there is nothing to wait for.
 *
 * Source: Procord's `Procord_connection.wait`.
 *
 * @param clock The clock that measures the time.
 * @param waiters What to wait for.
 * @param options How long to wait.
 * @returns False if the time was over first; otherwise true, also if there is nothing to wait for.
 * @throws {TypeError} If `waiters` has something else, such as a listener that is not one of the
 * library or a wrapper of one; or if another argument has the wrong type.
 * @throws {RangeError} If the timeout is negative.
 * @throws {Cancelled} If the current scope is cancelled.
 *
 * @example Waiting for input, or for the next tick
 * ```ts
 * import { pipe, Switch } from "@sluice/io";
 * import { managedOf, waitAny } from "@sluice/io/net/managed";
 * import { mockClock } from "@sluice/io/net/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await Switch.run(async (sw) => {
 *   const clock = mockClock({ autoAdvance: true });
 *   const [end, other] = pipe();
 *   const connection = managedOf(sw, { source: end, sink: end }, { clock, data: undefined });
 *   assertEquals(await waitAny(clock, [connection], { timeout: 50 }), false);
 *
 *   const waiting = waitAny(clock, [connection], { timeout: 50 });
 *   await other.write(new Uint8Array(3));
 *   assertEquals([await waiting, connection.bufferLength], [true, 3]);
 * });
 * ```
 */
export function waitAny(
  clock: Clock,
  waiters: readonly (ManagedConnection<unknown> | ManagedSet<unknown> | ListeningSocket)[],
  options?: WaitAnyOptions,
): Promise<boolean> {
  return operation(async () => {
    checkClock(action, clock);
    if (!Array.isArray(waiters)) {
      throw new TypeError(`Cannot ${action} as waiters must be an array: current value is ${describe(waiters)}`);
    }
    const watches = waiters.map(checkWaiter);
    const { timeout = Infinity } = checkOptions(action, options);
    checkMilliseconds(action, "timeout", timeout);
    const change = () => nextChange("waitAny", watches).then(() => true);
    const late = () => sleepOn(clock, timeout).then(() => false);
    return await (timeout === Infinity ? change() : asOperation("waitAny", () => first(change, late)));
  });
}

const action = "wait";

/** Returns how to watch an element of `waiters`. */
function checkWaiter(waiter: unknown): Watch {
  const watch = typeof waiter === "object" && waiter !== null ? watchOf(waiter) : undefined;
  if (watch !== undefined) return watch;
  const kinds = "a managed connection, a set of them, or a listener of the library";
  throw new TypeError(`Cannot ${action} for ${describe(waiter)}: must be ${kinds}`);
}
