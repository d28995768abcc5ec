// Copyright 2026 the Sluice authors. MIT license.

import { checkClock, checkMilliseconds, checkOptions, describe } from "../../base/internal.ts";
import { operation } from "../../flow/internal.ts";
import { type Clock, refused, Waiter } from "../../switch/internal.ts";
import { type ListeningSocket, type Watch, watchOf } from "../internal.ts";
import { Alarm } from "../server/internal.ts";
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
    const refusal = refused();
    if (refusal !== undefined) return await refusal;
    const waiter: Waiter<boolean> = new Waiter("waitAny");
    const stops = watches.map((watch) => watch(() => waiter.resolve(true)));
    let alarm: Alarm | undefined;
    try {
      if (stops.every((stop) => stop === undefined)) waiter.resolve(true);
      else if (timeout < Infinity && !waiter.settled) {
        alarm = new Alarm(clock, timeout, () => waiter.resolve(false), (error) => waiter.reject(error));
      }
      return await waiter.promise;
    } finally {
      alarm?.stop();
      for (const stop of stops) stop?.();
    }
  });
}

const action = "wait";

/** Returns how to watch an element of `waiters`. */
function checkWaiter(waiter: unknown): Watch {
  const watch = typeof waiter === "object" && waiter !== null ? watchOf(waiter) : undefined;
  if (watch !== undefined) return watch;
  throw new TypeError(
    `Cannot ${action} for ${
      describe(waiter)
    }: must be a managed connection, a set of them, or a listener of the library`,
  );
}
