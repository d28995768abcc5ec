// Copyright 2026 the Sluice authors. MIT license.

import { first, interruptible, startTimer, type Timer } from "../../switch/internal.ts";
import { lend, type LendingSource } from "../internal.ts";
import type { TwoWay } from "../mod.ts";

/** How long a peer has to react to the end, in milliseconds. A sending peer needs less. */
const reactionTimeout = 50;

/**
 * How long to check for input that has arrived already, in milliseconds: a turn of the event loop.
 */
const checkTimeout = 2;

/**
 * Shuts down sending of a flow that is about to close, and reports whether the peer goes on sending
 * ("input") or not. For a closed socket the system notices that input, and resets the connection; a
 * closed flow reads and drops it for a while.
 *
 * If input has arrived already, it shuts nothing down: the peer would see an end before it learns
 * that it was cut off.
 *
 * @throws {Cancelled} If the current scope is cancelled.
 */
export async function awaitReaction(flow: TwoWay, source: LendingSource): Promise<"input" | "none"> {
  const arrived = await inputWithin(checkTimeout, source);
  if (arrived !== undefined) return arrived;
  flow.shutdown("send").catch(() => {}); // may wait for the peer to read
  return await inputWithin(reactionTimeout, source) ?? "none";
}

/**
 * Reports whether input or the end arrives within `ms` milliseconds; `undefined` if neither does.
 */
async function inputWithin(ms: number, source: LendingSource): Promise<"input" | "none" | undefined> {
  let timer: Timer | undefined;
  try {
    return await first<"input" | "none", undefined>(
      async () => await source[lend](() => 0) === null ? "none" : "input",
      () => interruptible(new Promise<undefined>((resolve) => timer = startTimer(ms, () => resolve(undefined)))),
    );
  } finally {
    timer?.stop();
  }
}
