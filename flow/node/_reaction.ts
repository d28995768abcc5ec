// Copyright 2026 the Sluice authors. MIT license.

import { first, interruptible, startTimer, type Timer } from "../../switch/internal.ts";
import { lend, type LendingSource } from "../internal.ts";
import type { TwoWay } from "../mod.ts";

/** How long a peer has to react to the end, in milliseconds. One that is sending needs less than that. */
const patience = 50;

/** How long what has arrived may need to be seen, in milliseconds: a turn of the event loop. */
const glance = 2;

/**
 * Ends the sending direction of a flow that is about to close, and finds out what its peer does: it
 * goes on sending ("input"), or not. The system finds that out for a closed socket, and resets the
 * connection; a flow that is closed reads and drops what comes for a while.
 *
 * Where input is there already, nothing is ended: the peer would take that for an end before it learns
 * that it was cut off.
 *
 * @throws {Cancelled} When the current scope is cancelled.
 */
export async function awaitReaction(flow: TwoWay, source: LendingSource): Promise<"input" | "none"> {
  const there = await inputWithin(glance, source);
  if (there !== undefined) return there;
  flow.shutdown("send").catch(() => {}); // it may wait for the peer to read
  return await inputWithin(patience, source) ?? "none";
}

/** Whether there is input, or the end; `undefined` if there was neither within so many milliseconds. */
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
