// Copyright 2026 the Sluice authors. MIT license.

import { ignore } from "../../flow/internal.ts";
import {
  adopt,
  type ChildSwitch,
  noLongerNeeded,
  registerOwner,
  type Switch,
  switchUnder,
} from "../../switch/internal.ts";

/**
 * Starts a fiber that `sw` owns as it owns a socket: `sw` does not wait for it, but closes it
 * together with its other resources. If `sw` fails, it is cancelled.
 *
 * @param close Makes `run` return soon. Called when `sw` ends.
 * @param run Called at once, in a switch of its own, and does not reject. What it has left running
 * in that switch is cancelled when it returns.
 * @returns A promise that is fulfilled once all has ended.
 * @throws {TypeError} If `sw` is not a switch, or has ended.
 * @throws {Cancelled} If `sw` is cancelled.
 */
export function forkOwned(sw: Switch, close: () => void, run: (own: ChildSwitch) => Promise<void>): Promise<void> {
  const release = () => {
    close();
    adopt(sw, ended);
  };
  const hook = registerOwner(sw, "manage a connection", { release, label: "a managed connection" });
  const own = switchUnder(sw, "managed connection");
  const ended = own.run(() => run(own)).then(() => {
    if (own.hasFibers) own.cancel(noLongerNeeded());
    return own.end();
  }).catch(ignore).finally(() => hook.remove());
  return ended;
}
