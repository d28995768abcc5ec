// Copyright 2026 the Sluice authors. MIT license.

import { onCancel } from "../flow/home.ts";
import type { Clock } from "../switch/clock.ts";
import { runIn } from "../switch/context.ts";
import { noLongerNeeded } from "../switch/errors.ts";
import { Scope } from "../switch/scope.ts";
import { isSwitchCancelled, runUnder } from "../switch/ownership.ts";
import type { Switch } from "../switch/switch.ts";

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
