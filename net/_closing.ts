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
 * The key of a connection's method for closing within a time limit. A layer above it, such as TLS,
 * has spent a part of its own limit, and passes on the rest, so that a stack of connections does
 * not linger once per layer.
 */
export const closeWithin: unique symbol = Symbol.for("@sluice/io/closeWithin");

/** A connection whose `close` waits for the peer. */
export interface Lingering extends Closable {
  /**
   * Closes like `close`, but lingers for at most `ms` milliseconds, or its own `linger` if shorter.
   */
  [closeWithin](ms: number): Promise<void>;
}

/** The carrier of a connection, at the end of a graceful close. */
export interface Carrier {
  /** Whether all accepted bytes have been sent. */
  readonly flushed: boolean;
  /** Closes it, with `ms` milliseconds left. */
  close(ms: number): unknown;
  /** Resets it: bytes are left, or the owner has failed. */
  abort(): unknown;
  /** Gives it up if bytes are left. Without this method it is aborted. */
  abandon?(): unknown;
}

/**
 * Closes a connection gracefully: starts `farewell`, which flushes, half-closes and drains input
 * until the peer ends too, and waits for it for at most `ms` milliseconds. Then closes `carrier`,
 * or abandons it if bytes are left. If `owner` fails or is cancelled, aborts it at once.
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
  if (isSwitchCancelled(owner)) await carrier.abort();
  else if (carrier.flushed) await carrier.close(Math.max(0, deadline - clock.now()));
  else if (carrier.abandon !== undefined) await carrier.abandon();
  else await carrier.abort();
}

/**
 * Waits for `done`, for at most `ms` milliseconds, while `owner` has neither failed nor been
 * cancelled. Ignores the caller's scope: closing works in a cancelled one, and continues if not
 * awaited.
 */
export async function linger(owner: Switch, clock: Clock, ms: number, done: Promise<void>): Promise<void> {
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => stop = resolve);
  // The end of the owner's main function cancels waits in the owner, but not closing.
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
