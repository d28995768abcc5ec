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

/** What carries a connection, at the end of a graceful close. */
export interface Carrier {
  /** Whether all that was taken has gone out. */
  readonly flushed: boolean;
  /** Closes it. `ms` milliseconds are left of the time for closing. */
  close(ms: number): unknown;
  /** Breaks it, because something is left or there is no time. */
  abort(): unknown;
}

/**
 * The graceful close of every connection: begins `farewell`, which passes on what was taken and our end and then drops
 * input until the other side has ended too, and waits for it for at most `ms` milliseconds. Then `carrier` is closed, or
 * broken if something is left. If `owner` has failed or was cancelled, or is so meanwhile, it is broken at once.
 */
export async function closeGracefully(
  owner: Switch,
  clock: Clock,
  ms: number,
  carrier: Carrier,
  farewell: () => Promise<void>,
): Promise<void> {
  const deadline = clock.now() + ms;
  if (!isSwitchCancelled(owner)) await linger(owner, clock, ms, farewell());
  if (isSwitchCancelled(owner) || !carrier.flushed) await carrier.abort();
  else await carrier.close(Math.max(0, deadline - clock.now()));
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
