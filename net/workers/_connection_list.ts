// Copyright 2026 the Sluice authors. MIT license.

/** Sends the open connections of a worker to the main thread, but not so often that it costs much. */
import { type Clock, first, interruptible, sleepOn, type Switch } from "../../switch/internal.ts";
import type { ServerMonitor } from "../serve/internal.ts";
import { sendableConnection, type SentConnection } from "./_messages.ts";

/** The least milliseconds between two lists, and the most while connections are open. */
const shortest = 20;
const longest = 1000;

/** How many times longer than it takes to make a list the pause after it is. */
const pauseFactor = 50;

/** Keeps the main thread informed, as a daemon of `sw`. Returns a function that notes a change. */
export function sendConnections(
  sw: Switch,
  clock: Clock,
  monitor: ServerMonitor,
  send: (list: readonly SentConnection[]) => void,
): () => void {
  let hasChanged = false;
  let wake = () => {};
  const change = () => {
    hasChanged = true;
    wake();
  };
  sw.forkDaemon(async () => {
    for (;;) {
      await waitForChange(monitor.active > 0 ? longest : Infinity);
      hasChanged = false;
      const before = clock.now();
      send(monitor.connections().map(sendableConnection));
      await sleepOn(clock, Math.max(shortest, pauseFactor * (clock.now() - before)));
    }
  });
  return change;

  async function waitForChange(ms: number): Promise<void> {
    if (hasChanged) return;
    await first(
      () => interruptible(new Promise<void>((resolve) => wake = resolve)),
      () => sleepOn(clock, ms),
    );
  }
}
