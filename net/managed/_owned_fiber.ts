// Copyright 2026 the Sluice authors. MIT license.

import { isInstance } from "../../base/internal.ts";
import { ignore } from "../../flow/internal.ts";
import {
  adopt,
  Cancelled,
  type ChildSwitch,
  type Hook,
  noLongerNeeded,
  registerOwner,
  type Switch,
  switchUnder,
} from "../../switch/internal.ts";

const label = "managed connection";

/**
 * The fiber of a managed connection, which a switch owns as it owns a socket: the switch does not
 * wait for it, but closes it together with its other resources.
 */
export class OwnedFiber {
  #own: ChildSwitch | undefined;
  #ended: Promise<void> = Promise.resolve();

  /** Settles once it has ended. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /**
   * Starts it, up to its first wait. If `sw` fails, it is cancelled.
   *
   * @param close Makes `run` return soon. Called when `sw` ends, and if it is cancelled already.
   * @param run Does not reject. What it has left running in its switch is cancelled when it returns.
   * @throws {TypeError} If `sw` has ended.
   */
  start(sw: Switch, close: () => void, run: (own: Switch) => Promise<void>): void {
    const release = () => {
      close();
      adopt(sw, this.#ended);
    };
    let hook: Hook;
    try {
      hook = registerOwner(sw, "manage a connection", { release, label: `a ${label}` });
    } catch (error) {
      if (!isInstance(error, Cancelled)) throw error;
      return close();
    }
    const own = this.#own = switchUnder(sw, label);
    this.#ended = own.run(() => run(own.sw)).then(() => {
      if (own.hasFibers) own.cancel(noLongerNeeded());
      return own.end();
    }).catch(ignore).then(() => void hook.remove());
  }

  /** Cancels it. */
  cancel(): void {
    this.#own?.cancel(noLongerNeeded());
  }
}
