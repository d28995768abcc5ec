// Copyright 2026 the Sluice authors. MIT license.

import { type Closable, onCancel } from "../flow/internal.ts";
import {
  type Clock,
  isSwitchCancelled,
  noLongerNeeded,
  runIn,
  runUnder,
  Scope,
  type Switch,
} from "../switch/internal.ts";

/**
 * The name of a connection's way to close within a budget. What closes a connection under it, such
 * as TLS, has lingered already: it passes on what is left of its own time, so that a stack of
 * connections does not wait once for each layer.
 */
export const closeWithin: unique symbol = Symbol.for("@sluice/io/closeWithin");

/** A connection whose `close` waits for the peer. */
export interface Lingering extends Closable {
  /** Closes it as `close` does, and waits for at most `ms` milliseconds, or its own `linger` if that is shorter. */
  [closeWithin](ms: number): Promise<void>;
}

/**
 * Waits for `done`, for at most `ms` milliseconds, and only while `owner` has neither failed nor
 * been cancelled. The scope of the caller does not matter: closing works in a cancelled one, and a
 * close that nothing awaits goes on.
 */
export async function linger(owner: Switch, clock: Clock, ms: number, done: Promise<void>): Promise<void> {
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => stop = resolve);
  // The end of the owner's main function cancels what waits in the owner, but closing goes on.
  const forget = runUnder(owner, () => onCancel("close", () => isSwitchCancelled(owner) && stop()));
  const timer = new Scope(undefined, "linger");
  try {
    await Promise.race([done, stopped, runIn(timer, () => clock.sleep(ms))]);
  } finally {
    forget();
    timer.cancel(noLongerNeeded());
    timer.finish();
  }
}
