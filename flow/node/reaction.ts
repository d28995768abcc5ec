// Copyright 2026 the Sluice authors. MIT license.

import { clearTimeout, setTimeout } from "node:timers";
import { first, interruptible } from "../../switch/mod.ts";
import { lend, type LendingSource, type TwoWay } from "../mod.ts";

/** How long a peer has to react to the end, in milliseconds. One that is sending needs less than that. */
const patience = 50;

/**
 * Ends the sending direction of a flow that is about to close, and finds out what its peer does: it
 * goes on sending ("input"), or not. The system finds that out for a closed socket, and resets the
 * connection; a flow that is closed reads and drops what comes for a while.
 *
 * @throws {Cancelled} When the current scope is cancelled.
 */
export async function awaitReaction(flow: TwoWay, source: LendingSource): Promise<"input" | "none"> {
  flow.shutdown("send").catch(() => {}); // it may wait for the peer to read
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await first<"input" | "none", "none">(
      async () => await source[lend](() => 0) === null ? "none" : "input",
      () => interruptible(new Promise((resolve) => timer = setTimeout(resolve, patience, "none"))),
    );
  } finally {
    clearTimeout(timer);
  }
}
